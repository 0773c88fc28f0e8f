"""What learns: objectives, the Transformer, finetuning styles, decoding, checkpoints.

The names that most programs need are here, each imported when it is first asked for:

    tokenizer = glm.train_wordpiece(lines, 512)
    model = glm.build(glm.Shape(2, 64, 2, tokenizer.special.padded, positions=64), seed=0)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm.adaptation.encoding import BLANK as BLANK
    from glm.adaptation.encoding import pieces as pieces
    from glm.adaptation.encoding import source as source
    from glm.adaptation.seq2seq import prompt as prompt
    from glm.data.stream import batch_at as batch_at
    from glm.data.stream import stream as stream
    from glm.data.tokenizer import train_wordpiece as train_wordpiece
    from glm.generation.beam import Search as Search
    from glm.generation.beam import fill as fill
    from glm.models.transformer import Shape as Shape
    from glm.models.transformer import build as build
    from glm.models.transformer import loss as loss
    from glm.models.transformer import tensors as tensors
    from glm.objectives.blank_infilling import BlankInfilling as BlankInfilling
    from glm.objectives.causal import Causal as Causal
    from glm.objectives.masked_lm import MaskedLM as MaskedLM
    from glm.objectives.mixture import Mixture as Mixture
    from glm.objectives.prefix_lm import PrefixLM as PrefixLM
    from glm.objectives.unilm import UniLM as UniLM
    from glm.training.checkpoints import load as load
    from glm.training.checkpoints import save as save
    from glm.training.optim import adamw as adamw
    from glm.training.optim import schedule as schedule
    from glm.training.optim import set_rate as set_rate
    from tasks.spec import Blank as Blank
    from tasks.spec import Part as Part

_PLACES = {
    "glm.adaptation.encoding": ("BLANK", "pieces", "source"),
    "glm.adaptation.seq2seq": ("prompt",),
    "glm.data.stream": ("batch_at", "stream"),
    "glm.data.tokenizer": ("train_wordpiece",),
    "glm.generation.beam": ("Search", "fill"),
    "glm.models.transformer": ("Shape", "build", "loss", "tensors"),
    "glm.objectives.blank_infilling": ("BlankInfilling",),
    "glm.objectives.causal": ("Causal",),
    "glm.objectives.masked_lm": ("MaskedLM",),
    "glm.objectives.mixture": ("Mixture",),
    "glm.objectives.prefix_lm": ("PrefixLM",),
    "glm.objectives.unilm": ("UniLM",),
    "glm.training.checkpoints": ("load", "save"),
    "glm.training.optim": ("adamw", "schedule", "set_rate"),
    "tasks.spec": ("Blank", "Part"),
}
_WHERE = {name: module for module, names in _PLACES.items() for name in names}
__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"glm has no {name!r}: it has {', '.join(__all__)}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
