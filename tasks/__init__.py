"""What is asked: tasks as text, their sources and their metrics. No torch, no tokenizer."""
