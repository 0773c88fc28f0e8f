"""Writing: beam search over cached keys and values."""
