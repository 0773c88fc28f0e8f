"""What makes two pretrainings comparable: the same budget in one unit, `match`.

The reference is GLM with short spans; another objective gets as many optimizer steps as spend the
same number of positions, targets, FLOPs or corpus tokens.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ablations.scale import VOCABULARIES, Architecture, Scale, architecture, pretraining
from ablations.systems import GLM_LARGE, Variant
from glm.data.special import Special
from glm.models.flops import training_flops
from glm.objectives.objective import Objective

MATCHES = ("positions", "targets", "flops", "corpus_tokens")


@dataclass(frozen=True)
class Amounts:
    """What one pretraining sequence of an objective amounts to, on average."""

    corpus_tokens: float
    positions: float
    targets: float
    squares: float

    def flops(self, body: Architecture, vocabulary: int) -> float:
        """Training FLOPs of one sequence."""
        return training_flops(
            body.layers, body.hidden, vocabulary, self.positions, self.squares, self.targets
        )


@lru_cache(maxsize=256)
def amounts(objective: Objective, length: int) -> Amounts:
    """Average amounts of a sequence of `length` raw tokens, from 256 rows of synthetic text.

    Text of one document a row with a sentence end every twelfth token; the seed is fixed, so the
    answer is a pure function of its arguments.
    """
    special = Special(
        pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=5, end=6, gmask=None, smask=None,
        sentinel_masks=tuple(range(1000, 2000)), sentinel_starts=tuple(range(2000, 3000)),
        size=3000, padded=3072, sentence_end=(7,),
    )  # fmt: skip
    rng = np.random.Generator(np.random.Philox(0))
    text = rng.integers(100, 1000, size=(256, length))
    text[:, 12::12] = 7
    text[:, 0], text[:, -1] = special.cls, special.eos
    batch = objective(text, rng, special)
    rows = len(text)
    return Amounts(
        corpus_tokens=float(length),
        positions=batch.positions / rows,
        targets=batch.targets / rows,
        squares=float(batch.width**2),
    )


def steps(
    variant: Variant, scale: Scale, recipe: str, match: str, vocabulary: int | None = None
) -> int:
    """Optimizer steps that give the variant the reference objective's budget, in `match`'s unit.

    The reference is GLM with short spans (for `flops`: GLM Large) in the variant's own recipe, so a
    `paper` grid matched on corpus tokens runs exactly the recipe's steps.
    """
    if match not in MATCHES:
        raise ValueError(f"match is one of {', '.join(MATCHES)}, not {match!r}")
    settings = pretraining(variant, scale, recipe)
    rows = vocabulary or VOCABULARIES[variant.vocabulary]
    ours = amounts(variant.objective, settings.length)
    theirs = amounts(GLM_LARGE.objective, settings.length)
    if match == "flops":
        body = architecture(variant, scale, recipe)
        reference = architecture(GLM_LARGE, scale, recipe)
        ratio = theirs.flops(reference, rows) / ours.flops(body, rows)
    else:
        ratio = getattr(theirs, match) / getattr(ours, match)
    return max(1, round(settings.steps * ratio))
