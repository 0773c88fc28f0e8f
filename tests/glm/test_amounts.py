"""What an objective says a sequence amounts to is what its batches hold, on average."""

from dataclasses import fields, replace

import numpy as np
import pytest

from glm.data.example import MULTIPLE
from glm.data.extent import Extent
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.objectives.denoising import Denoising
from glm.objectives.diffusion import MaskedDiffusion
from glm.objectives.gpt_bert import GPTBERT
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import Mixture
from glm.objectives.objective import Objective
from glm.objectives.prefix_lm import PrefixLM
from glm.objectives.span_corruption import SpanCorruption
from glm.objectives.spans import TOKENS, Document, Geometric, Poisson, Segments, Sentences
from glm.objectives.unilm import UniLM
from tests.glm.texts import SPECIAL, whole

SHORT, LONG, WHOLE = (BlankInfilling(kind) for kind in (Poisson(), Document(), Sentences()))
OBJECTIVES: dict[str, Objective] = {
    "spans": SHORT,
    "spans, full sentinels": replace(SHORT, sentinels="full"),
    "few long spans": BlankInfilling(Poisson(mean=9.0, ratio=0.5)),
    "document": LONG,
    "sentences": WHOLE,
    "half of the sentences": BlankInfilling(Sentences(0.5)),
    "mixture": Mixture(((1, SHORT), (3, LONG))),
    "masked LM": MaskedLM(),
    "masked LM, spans": MaskedLM(spans=Poisson(), masked=1.0, random=0.0),
    "masked LM, n-grams": MaskedLM(grams=(0.5, 0.3, 0.2)),
    "masked LM, SpanBERT": MaskedLM(spans=Geometric(), together=True),
    "half of the document": BlankInfilling(Document(least=0.5, most=0.5, suffix=0.0)),
    "the document's end": BlankInfilling(Document(least=0.01, most=0.5, suffix=1.0)),
    "diffusion": MaskedDiffusion(),
    "diffusion, many masks": MaskedDiffusion(least=0.6),
    "GPT-BERT": GPTBERT(),
    "GPT-BERT, mostly masked": GPTBERT(MaskedLM(ratio=0.3), causal=0.1),
    "causal": Causal(),
    "prefix LM": PrefixLM(),
    "UniLM": UniLM(),
    "span corruption": SpanCorruption(),
    "span corruption, few long spans": SpanCorruption(Segments(mean=9.0, ratio=0.5)),
    "denoising": Denoising(),
    "denoising, short spans": Denoising(mean=0.7, ratio=0.2),
    "mixture of pairs": Mixture(((1, SpanCorruption()), (2, Denoising()))),
}
ROWS, BATCHES = 16, 60


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("length", [9, 61, 128])
def test_amounts_are_those_of_the_construction_within_sampling_error(name: str, length: int):
    objective = OBJECTIVES[name]
    text = whole(ROWS * BATCHES, length)
    text[:, TOKENS::TOKENS] = SPECIAL.sentence_end[0]
    rng = np.random.default_rng(0)
    batches = [objective(rows, rng, SPECIAL) for rows in np.split(text, BATCHES)]
    seen = {
        "positions": [(b.document_BT >= 0).sum(axis=1) for b in batches],
        "targets": [np.histogram(b.index_M, np.arange(b.rows + 1) * b.width)[0] for b in batches],
        "pairs": [
            (b.visible() & (b.document_BT >= 0)[:, :, None]).sum(axis=(1, 2)) for b in batches
        ],
    }
    expected = objective.amounts(length)
    assert expected.corpus_tokens == length
    for unit, counted in seen.items():
        each = np.concatenate(counted)
        error = 4 * each.std() / len(each) ** 0.5 + 1e-3
        assert abs(each.mean() - getattr(expected, unit)) < error, unit
    for power in (1, 2):
        widths = np.array([float(b.width) for b in batches]) ** power
        error = 4 * widths.std() / BATCHES**0.5 + 1e-3
        # A sampled width may never meet one that is rare, but counts in the mean.
        assert abs(widths.mean() - expected.padded(ROWS, power)) < error + MULTIPLE / BATCHES


@pytest.mark.parametrize("name", [n for n, o in OBJECTIVES.items() if o.amounts(61).parts])
def test_what_either_stack_goes_over_is_that_of_the_batches(name: str):
    objective = OBJECTIVES[name]
    text = whole(ROWS * BATCHES, 61)
    text[:, TOKENS::TOKENS] = SPECIAL.sentence_end[0]
    rng = np.random.default_rng(0)
    extents = [objective(rows, rng, SPECIAL).extent for rows in np.split(text, BATCHES)]
    expected = objective.amounts(61).extent(ROWS)
    for field in fields(Extent):
        each = np.array([getattr(extent, field.name) for extent in extents]) / ROWS
        # A width that one batch in twenty has may be seen in none of them.
        most = MULTIPLE * (2 * 72 if "squares" in field.name or "cross" in field.name else 1)
        error = 4 * each.std() / BATCHES**0.5 + 5 * most / BATCHES
        assert abs(each.mean() - getattr(expected, field.name)) < error, field.name


def test_chances_of_all_sizes_sum_to_one_and_the_widest_of_many_is_wider():
    for objective in OBJECTIVES.values():
        each = objective.amounts(512)
        assert sum(each.sizes.values()) == pytest.approx(1.0)
        assert each.padded(1024) >= each.padded(2) >= each.positions
