"""What a model learns from text: rows of tokens to batches."""
