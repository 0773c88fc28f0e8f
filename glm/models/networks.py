"""The models that are pretrained here: one stack, or an encoder and a decoder, as a shape says."""

import torch

from glm.models import encoder_decoder, transformer
from glm.models.encoder_decoder import EncoderDecoder
from glm.models.shape import Shape
from glm.models.transformer import Transformer

Network = Transformer | EncoderDecoder


def bare(shape: Shape) -> Network:
    """The model of a shape, without memory for its weights."""
    with torch.device("meta"):
        return EncoderDecoder(shape) if shape.decoder else Transformer(shape)


def build(shape: Shape, seed: int, device: torch.device | str = "cpu") -> Network:
    """A new model on `device`, initialised from `seed`, in fp32."""
    one = encoder_decoder.build if shape.decoder else transformer.build
    return one(shape, seed, device)
