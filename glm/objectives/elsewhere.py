"""What is known of a checkpoint that was trained elsewhere: its kind, and so what it can be asked.

Read from `config.json`, without `transformers` and without the weights, so that a grid can be
checked and planned before anything is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives import asked
from glm.objectives.amounts import Amounts
from glm.objectives.draws import Draws
from glm.objectives.layout import Ask, Layout
from glm.objectives.objective import ExtraTokens, Likelihood
from tasks.errors import UserError
from tasks.source import outside

Kind = Literal["encoder", "body", "decoder", "sentinels", "rewriting", "blanks", "ours"]

# What a checkpoint can be asked, by its kind.
SERVES: Mapping[Kind, tuple[Ask, ...]] = {
    "encoder": ("masked tokens", "pseudo-likelihood", "vector"),
    "body": ("vector",),  # an encoder without a head
    "decoder": ("completion", "one blank", "continuation", "vector"),
    "sentinels": ("one blank", "many blanks", "continuation", "vector"),  # T5
    "rewriting": ("one blank", "continuation", "vector"),  # BART
    "blanks": ("one blank", "many blanks", "continuation", "vector"),  # the released GLM
}
HEADS: tuple[tuple[str, Kind], ...] = (
    ("ForMaskedLM", "encoder"),
    ("ForPreTraining", "encoder"),
    ("ForCausalLM", "decoder"),
    ("LMHeadModel", "decoder"),
)
GLM_FILES = ("latest_checkpointed_iteration.txt", "mp_rank_00_model_states.pt")


@dataclass(frozen=True)
class Elsewhere:
    """Training of a kind of which no more is known than what came out of it, and what it serves."""

    kind: Kind
    serves: tuple[Ask, ...]

    @property
    def layout(self) -> Layout:
        """What can be asked; how exactly it is written is known when the checkpoint is loaded."""
        return Layout(serves=self.serves)

    @property
    def likelihood(self) -> Likelihood:
        """The model's score of a text, as its styles make it."""
        if self.kind == "body":
            return Likelihood("none", "it has no head")
        if self.kind == "encoder":
            return Likelihood("pseudo", "every token from all of the others")
        return Likelihood("exact", "every token from those before it")

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """None: its tokenizer has what it was trained with."""
        return ExtraTokens()

    def at_positions(self, positions: int) -> Self:
        """The same for a model of any length."""
        return self

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Refused."""
        self._refuse()

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """Refused."""
        self._refuse()

    def amounts(self, length: int) -> Amounts:
        """Refused."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UserError("a checkpoint from elsewhere is not pretrained here")


def elsewhere(folder: Path) -> Elsewhere:
    """What is known of the checkpoint in `folder` (or of the released GLM's file).

    Raises `UserError` where there is no checkpoint of a form that is known.
    """
    if folder.suffix == ".pt" or any((folder / name).is_file() for name in GLM_FILES):
        return Elsewhere("blanks", SERVES["blanks"])
    ours = asked.read(folder)
    if ours is not None:
        return Elsewhere("ours", ours.layout.serves)
    kind = _kind(folder)
    return Elsewhere(kind, SERVES[kind])


def _kind(folder: Path) -> Kind:
    config = _config(folder)
    named = config.get("architectures")
    architecture = str(named[0]) if named and isinstance(named, list) else ""
    name = str(config.get("model_type", ""))
    if architecture.startswith("GLM") and "block_position_encoding" in config:
        return "blanks"
    if config.get("is_encoder_decoder") or architecture.endswith("ForConditionalGeneration"):
        return "sentinels" if "t5" in name else "rewriting"
    for ending, kind in HEADS:
        if architecture.endswith(ending):
            return kind
    return "body"


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder}: no checkpoint here: neither config.json (Hugging Face), asked.json (ours) "
            f"nor {' or '.join(GLM_FILES)} (the released GLM)"
        )
    return outside.json_value(folder / "config.json", dict, "a configuration")


def tagged(folder: Path) -> Path | None:
    """The folder inside this one that a released GLM's tag file names; None without a tag file."""
    if not (folder / GLM_FILES[0]).is_file():
        return None
    first = next(outside.lines(folder / GLM_FILES[0], "a tag", 1), "")
    return folder / Path(first.strip()).name
