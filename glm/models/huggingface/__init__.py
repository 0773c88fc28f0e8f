"""Checkpoints of other people's models, through `transformers`: encoders, decoders and both."""
