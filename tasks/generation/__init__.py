"""Tasks whose answer is text that a model writes: summaries, questions, filled blanks."""
