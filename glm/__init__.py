"""What learns: objectives, the Transformer, finetuning styles, decoding, checkpoints."""
