"""SuperGLUE's metrics: the original's values, other tools' values, and what has no value."""

import json
import math
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tasks import TASKS
from tasks.errors import Absent
from tasks.metrics import ACCURACY, EXACT_GROUPS, F1A, MACRO_F1, RECORD, RECORD_ASCII
from tasks.metrics.floors import commonest, floors
from tasks.metrics.strings import ascii_normalised, normalised
from tasks.spec import Answer, Blank, Generate, How, Part, Question, measures
from tasks.sums import COMBINATIONS, total
from tasks.superglue.record import least_named
from tests.tasks.samples import rows

GOLDEN = json.loads(
    (Path(__file__).parent.parent / "golden" / "10_metrics.json").read_text(encoding="utf-8")
)["cases"]


def answered(choices: list[int], gold: list[int], groups: list[int] | None = None) -> list[Answer]:
    return [
        Answer(str(n), group=str(groups[n]) if groups else "", choice=c, gold=(g,))
        for n, (c, g) in enumerate(zip(choices, gold, strict=True))
    ]


def test_multirc_is_the_originals() -> None:
    case = GOLDEN["multirc"]
    answers = answered(case["predictions"], case["labels"], case["question_idx"])
    assert EXACT_GROUPS.compute(answers) == pytest.approx(case["em"])
    assert F1A.compute(answers) == pytest.approx(case["f1a"])
    assert ACCURACY.compute(answers) == pytest.approx(case["acc"] / 100)


def test_cb_is_the_originals() -> None:
    case = GOLDEN["cb"]
    answers = answered(case["predictions"], case["labels"])
    assert ACCURACY.compute(answers) == pytest.approx(case["acc"] / 100)
    assert MACRO_F1.compute(answers) == pytest.approx(case["f1_macro"])


def test_record_in_the_reference_profile_is_the_originals() -> None:
    case = GOLDEN["record"]
    answers = [
        Answer(
            str(n),
            candidates=tuple(example["candidates"]),
            references=tuple(example["answers"]),
            choice=choice,
        )
        for n, (example, choice) in enumerate(zip(case["examples"], case["predictions"]))
    ]
    f1, acc = (metric.compute(answers) for metric in RECORD_ASCII)
    assert f1 == pytest.approx(case["f1"] / 100)
    assert acc == pytest.approx(case["em"] / 100)


@pytest.mark.parametrize("case", GOLDEN["normalize_answer"], ids=lambda case: case["i"])
def test_the_reference_normalisation_is_the_originals(case: dict[str, str]) -> None:
    assert ascii_normalised(case["i"]) == case["o"]
    if case["i"].isascii():
        assert normalised(case["i"]) == case["o"]


def test_the_official_normalisation_keeps_accents() -> None:
    assert normalised("A naïve café") == "naïve café"
    cafe = [Answer("0", candidates=("Café",), references=("cafe",), choice=0)]
    assert [metric.compute(cafe) for metric in RECORD] == [0.0, 0.0]
    assert [metric.compute(cafe) for metric in RECORD_ASCII] == [1.0, 1.0]
    assert all("squad+unidecode" in metric.signature for metric in RECORD_ASCII)
    assert TASKS["record"].profiles["reference"] == RECORD_ASCII


def test_record_takes_the_best_of_the_references() -> None:
    answer = Answer(
        "0", candidates=("New York", "York"), references=("York", "New York City"), choice=0
    )
    f1, acc = (metric.compute([answer]) for metric in RECORD)
    assert (f1, acc) == (0.8, 0.0)  # 2 of 2 and 2 of 3 words with the second, by hand


def test_without_unidecode_the_reference_profile_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "unidecode", None)
    with pytest.raises(Absent, match="pip install Unidecode"):
        ascii_normalised("café")


@pytest.mark.parametrize("seed", range(5))
def test_f1_agrees_with_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    choices, gold = ([rng.randrange(3) for _ in range(40)] for _ in range(2))
    theirs = f1_score(gold, choices, average="macro")
    assert MACRO_F1.compute(answered(choices, gold)) == pytest.approx(theirs)
    binary = [c % 2 for c in choices], [g % 2 for g in gold]
    assert F1A.compute(answered(*binary)) == pytest.approx(f1_score(binary[1], binary[0]))


def test_macro_f1_counts_the_classes_that_occur() -> None:
    # Class 2 occurs nowhere: scikit-learn leaves it out as well.
    assert MACRO_F1.compute(answered([0, 1], [0, 1])) == 1.0
    # Class 2 was chosen wrongly: its F1 is 0, class 0's 1, class 1's 0.
    assert MACRO_F1.compute(answered([0, 2], [0, 1])) == pytest.approx(1 / 3)


def test_a_number_that_cannot_be_computed_is_absent() -> None:
    unlabelled = [Answer("0", choice=0)]
    unanswered = [Answer("0", gold=(1,)), Answer("1", gold=(1,), choice=1)]
    for metric in (ACCURACY, MACRO_F1, F1A, EXACT_GROUPS, *RECORD):
        assert metric.compute([]) is None
        assert metric.compute(unlabelled) is None
        assert metric.compute(unanswered) is None
    assert (
        F1A.compute(answered([0, 0], [0, 0])) is None
    )  # no right answer to find, and none claimed


def test_wsc_in_rank_mode_is_true_if_and_only_if_the_span_is_best() -> None:
    (yes, no) = (TASKS["wsc"].ask(rows("wsc", label=label)[0], How())[0] for label in (True, False))
    for question, right in ((yes, {0}), (no, {1, 2, 3, 4})):
        assert isinstance(question, Question)
        for choice in range(5):
            answer = Answer("0", choice=choice, gold=question.gold)  # type: ignore[union-attr]
            assert ACCURACY.compute([answer]) == float(choice in right)


# ---- sums

CHOICES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=30
)


@given(CHOICES, st.integers(0, 30))
def test_a_metric_of_all_answers_is_the_combination_of_the_sums_of_any_parts(drawn, cut) -> None:
    choices, gold, groups = map(list, zip(*drawn))
    answers = answered(choices, gold, groups)
    for metric in (ACCURACY, MACRO_F1, F1A, EXACT_GROUPS):
        assert metric.statistics is not None
        rows = metric.statistics(answers) or []
        assert len(rows) == len(answers)
        parts = [total(part) for part in (rows[:cut], rows[cut:]) if part]
        whole = float(COMBINATIONS[metric.combine](np.sum(parts, axis=0)))
        value = metric.compute(answers)
        assert math.isnan(whole) if value is None else whole == pytest.approx(value, abs=1e-12)


def test_a_combination_takes_many_sums_at_once() -> None:
    sums = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    assert COMBINATIONS["f1"](sums) == pytest.approx([0.4, np.nan, 1.0], nan_ok=True)
    assert COMBINATIONS["ratio"](sums[:, :2]) == pytest.approx([0.5, np.nan, 1.0], nan_ok=True)


# ---- the floors


def test_the_floors_of_accuracy_are_the_majority_class_and_guessing() -> None:
    answers = answered([0] * 5, [1, 1, 1, 0, 0])
    found = floors(TASKS["boolq"], [ACCURACY], [], answers)
    assert found == {"acc": {"uniform": 0.5, "constant": 0.6}}


def test_the_best_constant_of_cb_is_its_majority_class_in_both_metrics() -> None:
    # 23 / 28 / 5 rows as in the official dev split: 50.0 and 22.2, by hand.
    gold = [0] * 23 + [1] * 28 + [2] * 5
    found = floors(TASKS["cb"], TASKS["cb"].metrics, [], answered(gold, gold))
    assert found["f1"]["constant"] == pytest.approx(2 / 3 / 3)
    assert found["acc"] == {"uniform": pytest.approx(1 / 3), "constant": 0.5}


def test_the_best_constant_of_multirc_is_found_for_each_metric_alone() -> None:
    answers = answered([0] * 5, [0, 0, 0, 1, 1], [0, 0, 1, 1, 2])
    found = floors(TASKS["multirc"], TASKS["multirc"].metrics, [], answers)
    assert found["f1a"]["constant"] == pytest.approx(4 / 7)  # every answer is right
    assert found["em"]["constant"] == pytest.approx(1 / 3)  # either way one question of three


def test_guessing_at_multircs_questions_is_right_with_the_product_of_chances() -> None:
    answers = answered([0] * 5, [0, 0, 0, 1, 1], [0, 0, 1, 1, 2])
    found = floors(TASKS["multirc"], TASKS["multirc"].metrics, [], answers)
    assert found["em"]["uniform"] == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
    # 2.5 chosen and 1 of 2 found, by hand.
    assert found["f1a"]["uniform"] == pytest.approx(2 * 1 / (2.5 + 2))


def test_uniform_guessing_is_what_random_answers_score() -> None:
    rng = random.Random(0)
    gold, groups = [rng.randrange(2) for _ in range(120)], [n // 4 for n in range(120)]
    found = floors(TASKS["multirc"], TASKS["multirc"].metrics, [], answered(gold, gold, groups))
    draws = [answered(rng.choices([0, 1], k=120), gold, groups) for _ in range(400)]
    for metric in TASKS["multirc"].metrics:
        mean = sum(metric.compute(drawn) or 0.0 for drawn in draws) / len(draws)
        assert found[metric.name]["uniform"] == pytest.approx(mean, abs=0.01)


def test_records_floors_are_guessing_and_the_entities_named_most_and_least_often() -> None:
    (row,) = rows("record")
    for style in ("cloze", "classifier"):
        (question,) = TASKS["record"].ask(row, How(style=style))
        names = getattr(question, "candidates", None) or getattr(question, "labels", ())
        answer = Answer(row["id"], candidates=names, choice=0, gold=(1,), references=("Bob",))
        found = floors(TASKS["record"], RECORD, [question], [answer])
        least = float(names[least_named(question)] == "Bob")
        wanted = {"uniform": 1 / len(names), "most-named": 1.0, "least-named": least}
        assert found["acc"] == pytest.approx(wanted)


def test_without_labels_there_is_no_floor() -> None:
    copa = TASKS["copa"]
    assert floors(copa, copa.metrics, [], [Answer("0", choice=1)]) == {"acc": {}, "twins": {}}
    assert floors(copa, copa.metrics, [], []) == {"acc": {}, "twins": {}}


def test_generations_floors_are_constant_copied_and_mixed_up_outputs() -> None:
    xsum = TASKS["xsum"]
    texts = [("A cat sat on a mat. It slept.", "a cat sat"), ("A dog ran. It fell.", "a dog ran")]
    questions = [
        Generate(str(n), (Part(source, cut="end"), Blank()), (target,), (target,))
        for n, (source, target) in enumerate(texts * 2)
    ]
    answers = [Answer(q.id, text=q.targets[0], references=q.references) for q in questions]
    found = floors(xsum, xsum.metrics[:1], questions, answers)["rg1"]
    assert found["constant"] == pytest.approx((1 + 1 / 3) / 2)  # one of the two, for all
    assert found["lead"] == pytest.approx(
        (2 * 3 / (6 + 3) + 2 * 3 / (3 + 3)) / 2
    )  # words in common
    assert found["shuffled"] == 1.0  # the texts come twice: the other half's references are alike


def test_a_blanks_floor_is_one_word_for_every_blank() -> None:
    metric = TASKS["yahoo"].metrics[0]
    question = Generate("0", (Part("a b"), Blank()), ("the",), ("a b the c d",), "a b {} c d")
    answer = Answer("0", text="a b x c d", references=question.references)
    found = floors(TASKS["yahoo"], [metric], [question], [answer])
    assert found == {"bleu": {"constant": pytest.approx(1.0)}}


def test_the_commonest_answer_counts_by_its_words_and_by_its_place() -> None:
    same_words = [Answer(str(n), candidates=("No", "Yes"), choice=int(n > 0)) for n in range(4)]
    assert commonest(same_words) == {"answer": "choice 1", "share": 0.75}
    places = [Answer(str(n), candidates=(f"a{n}", f"b{n}"), choice=1) for n in range(3)]
    assert commonest(places) == {"answer": "choice 1", "share": 1.0}
    assert commonest([Answer("0", text="the"), Answer("1", text="a")]) is not None
    assert commonest([Answer("0")]) is None


# ---- as others compute them


def test_a_profiles_metric_has_a_name_of_its_own_and_the_same_number() -> None:
    names = {name: list(measures(TASKS[name])) for name in ("heldout", "xsum", "copa")}
    assert names["heldout"] == ["ppl", "bpb", "ppl@reference", "bpb@reference"]
    assert {"rg1", "rg1@unilm", "rg1@reference"} <= set(names["xsum"])
    assert names["copa"] == ["acc", "twins"]
    answers = [Answer("d", values={"nll": 30.0, "tokens": 9, "bytes": 40, "exact": 0})] * 3
    found = measures(TASKS["heldout"])
    for metric in TASKS["heldout"].profiles["reference"]:
        assert found[f"{metric.name}@reference"].compute(answers) == metric.compute(answers)
    assert found["ppl@reference"].compute(answers) != found["ppl"].compute(answers)


def test_every_name_of_a_metric_is_its_own() -> None:
    for task in TASKS.values():
        for name, metric in measures(task).items():
            assert metric.name == name


def test_twins_count_where_all_of_a_group_are_right() -> None:
    (twins,) = (metric for metric in TASKS["rte"].metrics if metric.name == "twins")
    chosen = [("a", 0, 0), ("a", 1, 1), ("b", 0, 0), ("b", 0, 1)]
    answers = [
        Answer(str(n), group=g, choice=c, gold=(y,), candidates=("Yes", "No"))
        for n, (g, c, y) in enumerate(chosen)
    ]
    assert twins.compute(answers) == 0.5
    assert twins.guessed is not None
    assert twins.value(twins.guessed(answers)) == 0.25
    assert twins.compute([replace(a, group="") for a in answers]) is None
