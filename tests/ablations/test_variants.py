"""Rows, recipes and scales are values: what they ablate can be read off, and ratios stay."""

import math
from dataclasses import fields, replace

import pytest

from ablations.budget import spent, steps
from ablations.recipes import RECIPES
from ablations.scale import SCALES, architecture
from ablations.scale import pretraining as pretraining_at
from ablations.systems import VARIANTS
from ablations.tables import TABLES
from glm.data.special import table_rows
from glm.data.vocabularies import IDS
from glm.objectives.amounts import UNITS
from tasks import TASKS

PAPER = RECIPES["paper"]


def changed(one, other):
    return {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}


@pytest.mark.parametrize(
    ("row", "parent", "fields_changed"),
    [
        ("glm-large/no-shuffle", "glm-large", {"shuffle"}),
        ("glm-large/sentinels", "glm-large", {"sentinels"}),
        ("glm-large/sentinel-masks", "glm-large", {"sentinels"}),
        ("glm-large/t5-like", "glm-large", {"shuffle", "sentinels"}),
        ("glm-large/no-2d", "glm-large", {"inner_positions"}),
    ],
)
def test_an_ablation_changes_its_field_of_the_objective_and_nothing_else(
    row, parent, fields_changed
):
    variant, base = VARIANTS[row], VARIANTS[parent]
    assert changed(variant, base) == {"name", "label", "objective"}
    assert changed(variant.objective, base.objective) == fields_changed


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("glm-base", 109_338_624),
        ("glm-large", 334_688_256),
        ("glm-410m", 410_265_600),
        ("glm-515m", 514_632_960),
        ("glm-roberta", 354_873_344),
    ],
)
def test_the_paper_scale_has_the_released_models_parameter_counts(name, parameters):
    variant = VARIANTS[name]
    body = architecture(variant, SCALES["paper"], PAPER)
    rows = table_rows(IDS[variant.vocabulary])
    assert replace(body, vocabulary=rows).parameters() == parameters


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["t5-large", "bart-large", "mass-large", "glm-large/two-stacks"])
def test_an_encoder_decoder_is_as_large_as_the_one_stack_beside_it(name, scale):
    rows = table_rows(SCALES[scale].vocabulary or IDS["bert"])
    one, both = (
        replace(architecture(VARIANTS[each], SCALES[scale], PAPER), vocabulary=rows)
        for each in ("glm-large", name)
    )
    near = 0.02 if scale in ("paper", "base") else 0.18  # two layers each, where 1.5 would be right
    assert both.decoder and both.parameters() == pytest.approx(one.parameters(), rel=near)


def test_an_encoder_decoder_of_full_depth_costs_what_one_stack_does():
    def flops_a_token(name):
        shape = architecture(VARIANTS[name], SCALES["paper"], PAPER)
        each = spent(VARIANTS[name].objective, shape, 30_522, 256, 512)
        return each["flops"] / each["corpus_tokens"]

    assert flops_a_token("t5-large/deep") == pytest.approx(flops_a_token("glm-large"), rel=0.15)
    assert flops_a_token("t5-large") < 0.6 * flops_a_token("glm-large")


def test_a_decoder_is_for_objectives_that_say_what_is_written():
    odd = replace(VARIANTS["gpt-large"], decoder=6)
    with pytest.raises(ValueError, match="does not say what it writes"):
        architecture(odd, SCALES["micro"], PAPER)


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_keeps_the_ratios_between_variants(scale):
    def body(name):
        return architecture(VARIANTS[name], SCALES[scale], PAPER)

    large, deeper, wider, base = map(body, ("glm-large", "glm-410m", "glm-515m", "glm-base"))
    assert deeper.layers == 1.25 * large.layers
    assert wider.layers == deeper.layers
    assert wider.hidden == 1.125 * large.hidden
    assert 2 * base.layers == large.layers
    assert base.hidden == 0.75 * large.hidden
    for one in (large, deeper, wider, base):
        assert one.hidden % one.heads == 0


def test_the_paper_scale_runs_the_recipes_steps_and_batch():
    for name, count, batch in (
        ("glm-base", 120_000, 1024),
        ("glm-large", 200_000, 1024),
        ("glm-doc", 200_000, 1024),
        ("glm-515m", 200_000, 1024),
        ("bert-large", 200_000, 1024),
        ("glm-roberta", 250_000, 8192),
    ):
        variant = VARIANTS[name]
        assert steps(variant, SCALES["paper"], PAPER, "corpus_tokens") == count
        assert pretraining_at(variant, SCALES["paper"], PAPER).batch == batch


def test_the_two_recipes_differ_exactly_where_paper_and_code_conflict():
    paper, code = RECIPES["paper"], RECIPES["reference"]
    conflicts = {
        size: changed(paper.pretraining[size], code.pretraining[size]) for size in paper.pretraining
    }
    assert conflicts == {"base": {"steps"}, "large": set(), "roberta": {"decay", "decay_steps"}}
    assert changed(paper.finetuning["gigaword"], code.finetuning["gigaword"]) == {"epochs"}
    assert changed(paper.finetuning["squad_qg"], code.finetuning["squad_qg"]) == {"lr"}
    assert changed(paper.finetuning["xsum"], code.finetuning["xsum"]) == set()


def budget(variant, scale, match):
    """What a variant spends when `match` is held equal, and the steps that it takes."""
    settings = pretraining_at(variant, scale, PAPER)
    count = steps(variant, scale, PAPER, match, 2048)
    shape = architecture(variant, scale, PAPER)
    size = (settings.batch, settings.length, count)
    return spent(variant.objective, shape, 2048, *size), count


@pytest.mark.parametrize("match", UNITS)
@pytest.mark.parametrize("scale", ["micro", "small"])
def test_matching_gives_every_variant_the_same_amount_of_what_is_matched(scale, match):
    reference, _ = budget(VARIANTS["glm-large"], SCALES[scale], match)
    for variant in VARIANTS.values():
        own, count = budget(variant, SCALES[scale], match)
        # As near as whole steps allow: half of one.
        assert abs(own[match] / reference[match] - 1) <= 0.5 / count + 1e-9, variant.name


def test_matched_positions_differ_by_less_than_a_thousandth_where_steps_allow():
    reference, _ = budget(VARIANTS["glm-large"], SCALES["small"], "positions")
    for name, variant in VARIANTS.items():
        own, count = budget(variant, SCALES["small"], "positions")
        assert abs(own["positions"] / reference["positions"] - 1) < 0.001, (name, count)


def test_the_number_of_steps_is_arithmetic_on_fields_and_stays_as_it_is():
    matched = {"glm-doc": 208_858, "glm-sent": 207_538, "bert-large": 219_177}
    paper = SCALES["paper"]
    assert {n: steps(VARIANTS[n], paper, PAPER, "positions") for n in matched} == matched


def test_every_column_of_the_paper_tables_names_a_task_and_metrics_that_exist():
    for table in TABLES.values():
        for column in table.columns:
            known = {metric.name for metric in TASKS[column.task].metrics}
            assert set(column.metrics) <= known, (table.id, column.id)
        for row in table.rows:
            assert row.variant is None or row.variant in VARIANTS
            assert row.variant or row.reason


def test_the_deviation_of_initial_weights_follows_the_width_and_is_the_papers_at_its_scale():
    large = VARIANTS["glm-large"]
    paper = architecture(large, SCALES["paper"], RECIPES["paper"])
    assert paper.deviation == 0.02
    for scale in SCALES.values():
        shape = architecture(large, scale, RECIPES["paper"])
        # A sum over the width has the paper's deviation, whatever the width.
        assert shape.deviation * math.sqrt(shape.hidden) == pytest.approx(
            paper.deviation * math.sqrt(paper.hidden), rel=2e-3
        )
