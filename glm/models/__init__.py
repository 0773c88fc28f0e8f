"""The Transformer, its attention and its costs."""
