"""What makes two pretrainings comparable: the same budget in one unit, `match`.

The reference is GLM with short spans; another objective gets as many optimizer steps as spend the
same number of positions, targets, FLOPs or corpus tokens. All of it is arithmetic on the
objectives' closed-form amounts: a number of steps is a pure function of fields.
"""

from collections.abc import Mapping
from dataclasses import replace

from ablations.recipes import Recipe
from ablations.scale import Scale, architecture, pretraining
from ablations.systems import GLM_LARGE, Variant
from glm.data.special import table_rows
from glm.data.vocabularies import IDS
from glm.models.shape import Shape
from glm.objectives.amounts import UNITS, Unit
from glm.objectives.objective import Objective


def spent(
    objective: Objective, shape: Shape, ids: int, batch: int, length: int, steps: int = 1
) -> Mapping[Unit, float]:
    """What a pretraining of so many steps spends, in every unit.

    FLOPs are those of padded batches, as a ledger counts them; positions are without padding.
    `ids` are the vocabulary's own, before the sentinels that the objective may want.
    """
    each = objective.amounts(length)
    sequences = batch * steps
    sentinels = objective.extra_tokens(shape.positions).sentinels
    with_table = replace(shape, vocabulary=table_rows(ids, sentinels))
    return {
        "corpus_tokens": sequences * each.corpus_tokens,
        "positions": sequences * each.positions,
        "targets": sequences * each.targets,
        "flops": sequences * with_table.training_flops(each.extent(batch), each.targets),
    }


def steps(
    variant: Variant, scale: Scale, recipe: Recipe, match: Unit, ids: int | None = None
) -> int:
    """Optimizer steps that give the variant the reference objective's budget, in `match`'s unit.

    The reference is GLM with short spans (for `flops`: GLM Large) in the variant's own recipe, so a
    `paper` grid matched on corpus tokens runs exactly the recipe's steps.
    """
    if match not in UNITS:
        raise ValueError(f"match is one of {', '.join(UNITS)}, not {match!r}")
    settings = pretraining(variant, scale, recipe)

    def of_a_step(one: Variant) -> float:
        body = architecture(one, scale, recipe)
        known = ids or IDS[variant.vocabulary]
        return spent(one.objective, body, known, settings.batch, settings.length)[match]

    return max(1, round(settings.steps * of_a_step(GLM_LARGE) / of_a_step(variant)))
