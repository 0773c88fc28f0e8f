"""SuperGLUE's metrics: the original's values, other tools' values, and what has no value."""

import json
import random
import sys
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from tasks import TASKS
from tasks.errors import Absent
from tasks.metrics import (
    RECORD,
    RECORD_ASCII,
    accuracy,
    ascii_normalised,
    exact_groups,
    f1a,
    floor,
    macro_f1,
    normalised,
    superglue_average,
)
from tasks.spec import Answer, How, Question
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
    assert exact_groups(answers) == pytest.approx(case["em"])
    assert f1a(answers) == pytest.approx(case["f1a"])
    assert accuracy(answers) == pytest.approx(case["acc"] / 100)


def test_cb_is_the_originals() -> None:
    case = GOLDEN["cb"]
    answers = answered(case["predictions"], case["labels"])
    assert accuracy(answers) == pytest.approx(case["acc"] / 100)
    assert macro_f1(answers) == pytest.approx(case["f1_macro"])


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
    theirs = f1_score(gold, choices, average="macro", zero_division=0)
    assert macro_f1(answered(choices, gold)) == pytest.approx(theirs)
    binary = [c % 2 for c in choices], [g % 2 for g in gold]
    assert f1a(answered(*binary)) == pytest.approx(f1_score(binary[1], binary[0]))


def test_macro_f1_counts_the_classes_that_occur() -> None:
    # Class 2 occurs nowhere: scikit-learn leaves it out as well.
    assert macro_f1(answered([0, 1], [0, 1])) == 1.0
    # Class 2 was chosen wrongly: its F1 is 0, class 0's 1, class 1's 0.
    assert macro_f1(answered([0, 2], [0, 1])) == pytest.approx(1 / 3)


def test_a_number_that_cannot_be_computed_is_absent() -> None:
    unlabelled = [Answer("0", choice=0)]
    unanswered = [Answer("0", gold=(1,)), Answer("1", gold=(1,), choice=1)]
    for compute in (accuracy, macro_f1, f1a, exact_groups, *(m.compute for m in RECORD)):
        assert compute([]) is None
        assert compute(unlabelled) is None
        assert compute(unanswered) is None
    assert f1a(answered([0, 0], [0, 0])) is None  # no right answer to find, and none claimed


def test_wsc_in_rank_mode_is_true_if_and_only_if_the_span_is_best() -> None:
    (yes, no) = (TASKS["wsc"].ask(rows("wsc", label=label)[0], How())[0] for label in (True, False))
    for question, right in ((yes, {0}), (no, {1, 2, 3, 4})):
        assert isinstance(question, Question)
        for choice in range(5):
            answer = Answer("0", choice=choice, gold=question.gold)  # type: ignore[union-attr]
            assert accuracy([answer]) == float(choice in right)


# ---- the average


def test_the_average_counts_a_two_metric_task_as_the_mean_of_its_two() -> None:
    # BERT-Base in Table 1 of the paper: 66.1.
    values = {
        "record": {"f1": 65.4, "acc": 64.9},
        "copa": {"acc": 66.0},
        "wsc": {"acc": 65.4},
        "rte": {"acc": 70.0},
        "boolq": {"acc": 74.9},
        "wic": {"acc": 68.8},
        "cb": {"f1": 70.9, "acc": 76.8},
        "multirc": {"f1a": 68.4, "em": 21.5},
    }
    assert superglue_average(values, list(values)) == pytest.approx(66.1, abs=0.05)
    for missing in values:
        fewer = {task: numbers for task, numbers in values.items() if task != missing}
        assert superglue_average(fewer, list(values)) is None
    assert superglue_average(values | {"cb": {"f1": None, "acc": 1.0}}, list(values)) is None
    assert superglue_average({}, []) is None


# ---- the floor


def test_the_floor_of_accuracy_is_the_majority_class() -> None:
    answers = answered([0] * 5, [1, 1, 1, 0, 0])
    assert floor(TASKS["boolq"], [], answers) == {"acc": 0.6}


def test_the_floor_of_cb_is_its_majority_class_in_both_metrics() -> None:
    # 23 / 28 / 5 rows as in the official dev split: 50.0 and 22.2, by hand.
    gold = [0] * 23 + [1] * 28 + [2] * 5
    found = floor(TASKS["cb"], [], answered(gold, gold))
    assert found == {"f1": pytest.approx(2 / 3 / 3), "acc": 0.5}


def test_the_floor_of_multirc_calls_every_answer_right() -> None:
    answers = answered([0] * 5, [0, 0, 0, 1, 1], [0, 0, 1, 1, 2])
    found = floor(TASKS["multirc"], [], answers)
    assert found == {"f1a": pytest.approx(4 / 7), "em": pytest.approx(1 / 3)}


def test_the_floor_of_record_is_the_entity_named_most_often() -> None:
    (row,) = rows("record")
    for style in ("cloze", "classifier"):
        (question,) = TASKS["record"].ask(row, How(style=style))
        assert not isinstance(question, int)
        names = getattr(question, "candidates", None) or getattr(question, "labels", ())
        answer = Answer(row["id"], candidates=names, choice=0, gold=(1,), references=("Bob",))
        assert floor(TASKS["record"], [question], [answer]) == {"f1": 1.0, "acc": 1.0}


def test_without_labels_there_is_no_floor() -> None:
    assert floor(TASKS["copa"], [], [Answer("0", choice=1)]) == {"acc": None}
    assert floor(TASKS["copa"], [], []) == {"acc": None}
