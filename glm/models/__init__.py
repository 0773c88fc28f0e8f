"""The Transformer, the encoder-decoder, their attention and their costs."""
