"""Tasks without code: the same questions as the shipped ones, and every mistake said at once."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from glm.adaptation.styles import STYLES
from glm.data.tokenizer import Tokenizer, train_wordpiece
from glm.models.transformer import Shape, build
from tasks import TASKS, template
from tasks.errors import UserError
from tasks.show import plain
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.spec import Classify, Cloze, How, Part, Question, Task, signature
from tests.tasks.samples import OTHER_RECORDS, RECORDS, jsonl

RTE = """
name: rte-mine
kind: classification
id: idx
files: {train: rte/train.jsonl, dev: rte/val.jsonl}
fields: [premise, hypothesis]
template: '"{hypothesis:bare}" ? || {blank}, "{premise}"'
label: label
labels: [entailment, not_entailment]
verbalizer: ["Yes", "No"]
"""
COPA = """
name: copa-mine
kind: choice
id: idx
fields:
  premise: premise
  choice1: choice1
  choice2: choice2
  link: {field: question, words: {cause: " because", effect: ", so"}}
template: '"{choice1:uncapitalised,bare}" or "{choice2:uncapitalised,bare}"? {premise:bare}{link:whole} {blank}.'
candidates: ["{choice1:uncapitalised,bare}", "{choice2:uncapitalised,bare}"]
label: label
"""  # noqa: E501
XSUM = """
name: news
kind: generation
fields: {article: document}
template: "{blank} Content: {article:spaced}"
label: summary
"""
LISTED = """
name: quiz
kind: choice
fields: [question]
template: "{question} {blank}."
candidates: options
label: answer
group: topic
metrics: [acc, em]
reduce: mean
"""
QUIZ = {
    "id": "q1",
    "question": "Where does tea grow?",
    "options": ["Assam", "the wide sea"],
    "answer": 0,
    "topic": "tea",
}


def made(text: str, **changes: Any) -> Task:
    mapping = yaml.safe_load(text) | changes
    return template.task({k: v for k, v in mapping.items() if v is not None}, "grid.yaml:3")


def asked(task: Task, record: dict[str, Any], how: How = How()) -> list[Question]:  # noqa: B008
    assert task.rows is not None
    rows = task.rows(record)
    assert [task.check(row) for row in rows] == [None] * len(rows)
    return [question for row in rows for question in task.ask(row, how)]


@pytest.mark.parametrize(
    ("name", "text", "record"),
    [
        ("rte", RTE, RECORDS["rte"]),
        ("copa", COPA, RECORDS["copa"]),
        ("copa", COPA, RECORDS["copa"] | {"question": "effect", "label": 1}),
        ("xsum", XSUM, OTHER_RECORDS["xsum"]),
    ],
)
def test_a_template_asks_what_the_shipped_task_asks(
    name: str, text: str, record: dict[str, Any]
) -> None:
    how = How(style=TASKS[name].styles[0])
    for given in (record, {k: v for k, v in record.items() if k not in ("label", "summary")}):
        assert asked(made(text), given, how) == asked(TASKS[name], given, how)


@pytest.mark.parametrize("pattern", range(5))
def test_every_pattern_of_rte_can_be_written_as_a_template(pattern: int) -> None:
    texts = (
        '"{hypothesis:bare}" ? || {blank}, "{premise}"',
        "{hypothesis:bare}? || {blank}, {premise}",
        '"{hypothesis:bare}" ? || {blank}. "{premise}"',
        "{hypothesis:bare}? || {blank}. {premise}",
        "{premise} question: {hypothesis:bare} True or False? answer: {blank}",
    )
    words = ["true", "false"] if pattern == 4 else ["Yes", "No"]
    task = made(RTE, template=texts[pattern], verbalizer=words)
    how = How(pattern=pattern)
    assert asked(task, RECORDS["rte"]) == asked(TASKS["rte"], RECORDS["rte"], how)


def test_a_classifier_reads_the_first_field_against_the_others() -> None:
    how = How(style="classifier")
    assert asked(made(RTE), RECORDS["rte"], how) == asked(TASKS["rte"], RECORDS["rte"], how)
    own = made(RTE, classifier="{hypothesis:bare} || Text: {premise}")
    [question] = asked(own, RECORDS["rte"], how)
    assert isinstance(question, Classify)
    parts = [part for part in question.inputs[0] if isinstance(part, Part)]
    sides = ["".join(p.text for p in parts if p.side == side) for side in "ab"]
    assert sides == ["Bob bought a boat", "Text: Ann sold her boat to Bob."]


def test_candidates_may_be_a_list_in_the_row() -> None:
    [question] = asked(made(LISTED), QUIZ)
    assert isinstance(question, Cloze)
    assert plain(question.text) == "Where does tea grow? [MASK]."
    assert (question.candidates, question.gold) == (("Assam", "the wide sea"), (0,))
    assert (question.reduce, question.group, question.verbalizer) == ("mean", "tea", False)
    [classified] = asked(made(LISTED), QUIZ, How(style="classifier"))
    assert isinstance(classified, Classify)
    assert [plain(text) for text in classified.inputs] == [
        "Where does tea grow?Assam",
        "Where does tea grow?the wide sea",
    ]
    assert (classified.labels, classified.gold) == (question.candidates, (0,))


def test_a_label_has_the_names_that_are_given_it() -> None:
    lettered = made(LISTED, labels=["A", "B"])
    [question] = asked(lettered, QUIZ | {"answer": "B"})
    assert isinstance(question, Cloze) and question.gold == (1,)
    assert lettered.check({**QUIZ, "answer": "C"}) == (
        "label outside its set: 'C' is none of 'A', 'B'"
    )


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_wordpiece(
        ["ann sold bob a boat where does tea grow assam wide sea yes no"] * 9, 99
    )


@pytest.mark.parametrize("style", ["cloze", "bert-cloze", "classifier", "seq2seq"])
def test_every_style_that_makes_sense_answers(style: str, tokenizer: Tokenizer) -> None:
    written = style == "seq2seq"
    cases = [(XSUM, OTHER_RECORDS["xsum"])] if written else [(RTE, RECORDS["rte"]), (LISTED, QUIZ)]
    for text, record in cases:
        shape = Shape(1, 32, 2, tokenizer.special.padded, positions=96)
        questions = asked(made(text), record, How(style=style.removeprefix("bert-")))
        chosen: Any = STYLES[style]
        model, head = build(shape, 0), chosen.head(shape.hidden, questions)
        items = chosen.encode(questions, tokenizer, 64)
        assert torch.isfinite(chosen.loss(model, head, items, tokenizer))
        [answer] = chosen.answer(model, head, items, tokenizer)
        assert answer.id == questions[0].id
        assert (answer.text is not None) if written else len(answer.scores) == 2


def test_rows_come_from_files_below_the_root_and_are_checked(tmp_path: Path) -> None:
    (tmp_path / "rte").mkdir()
    bad = [
        {"idx": 8, "premise": "a", "label": "entailment"},
        RECORDS["rte"] | {"idx": 9, "label": 1},
    ]
    (tmp_path / "rte" / "val.jsonl").write_bytes(jsonl([RECORDS["rte"], *bad]))
    task = made(RTE)
    with pytest.raises(UserError) as raised:
        load(task, "dev", Folder(str(tmp_path)))
    assert "2 bad rows beside 1 good ones" in str(raised.value)
    assert "field 'hypothesis' is missing" in str(raised.value)
    assert "label outside its set: 1 is none of 'entailment'" in str(raised.value)
    loaded = load(task, "dev", Folder(str(tmp_path), on_bad_row="skip"))
    assert [row["id"] for row in loaded.rows] == ["7"]
    with pytest.raises(UserError, match=r"rte-mine has no train file: looked for rte/train\.jsonl"):
        load(task, "train", Folder(str(tmp_path)))


def test_files_of_the_usual_names_lie_in_a_folder_of_the_tasks_name(tmp_path: Path) -> None:
    (tmp_path / "quiz").mkdir()
    (tmp_path / "quiz" / "test.jsonl").write_bytes(jsonl([QUIZ | {"id": n} for n in (1, 2)]))
    assert len(load(made(LISTED), "test", Folder(str(tmp_path))).rows) == 2


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"options": "Assam"}, "field 'options' is no list of texts"),
        ({"options": ["Assam"]}, "candidates that are empty, equal or fewer than two"),
        ({"options": ["Assam", "Assam "]}, "candidates that are empty, equal"),
        ({"options": ["Assam", " "]}, "candidates that are empty"),
        ({"options": ["Assam", 3]}, "no list of texts"),
        ({"answer": 2}, "label outside its set: 2 is none of 0, 1"),
        ({"answer": True}, "label outside its set: True"),
        ({"question": " "}, "field 'question' is empty"),
        ({"question": 3}, "field 'question' is of another type"),
    ],
)
def test_a_row_that_cannot_be_asked_is_a_fault(record: dict[str, Any], said: str) -> None:
    task = made(LISTED)
    assert task.rows is not None
    [row] = task.rows(QUIZ | record)
    assert said in str(task.check(row))


def test_the_wording_is_in_the_signature_and_the_files_are_not() -> None:
    def signed(**changes: Any) -> str:
        task = made(RTE, **changes)
        return signature(task, How(), task.metrics[0])

    assert signed().startswith("acc|version:1|task:rte-mine|style:cloze|template:")
    assert signed(files={"train": "else.jsonl"}, title="Else") == signed()
    for change in (
        {"template": "{premise} {hypothesis} {blank}"},
        {"verbalizer": ["true", "false"]},
        {"labels": ["not_entailment", "entailment"]},
    ):
        assert signed(**change) != signed()


def test_a_template_travels_to_another_process() -> None:
    task = made(COPA)
    there = pickle.loads(pickle.dumps(task))
    assert asked(there, RECORDS["copa"]) == asked(task, RECORDS["copa"])


# ---- mistakes


MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no name": (RTE, {"name": None}, "name: is missing"),
    "a name that is no folder": (RTE, {"name": "../x"}, "name: `../x` cannot name a folder"),
    "unknown kind": (RTE, {"kind": "choise"}, "kind: `choise` is none; did you mean `choice`?"),
    "unknown key": (RTE, {"lables": 1}, "lables: unknown key; did you mean `labels` or `label`?"),
    "key of another kind": (XSUM, {"labels": [1, 2]}, "labels: unknown key; did you mean `label`"),
    "unknown field": (RTE, {"template": "{premis} {blank}"}, "there is no field `premis`; did"),
    "no blank": (RTE, {"template": "{premise}"}, "{blank} is there 0 times, not once"),
    "two blanks": (RTE, {"template": "{blank}{blank}"}, "{blank} is there 2 times, not once"),
    "a blank to classify": (RTE, {"classifier": "{blank}"}, "classifier: {blank} is there 1 times"),
    "three sides": (RTE, {"template": "a || {blank} || b"}, "`||` stands between two sides"),
    "an empty side": (RTE, {"template": "|| {blank}"}, "`||` stands between two sides"),
    "a lone brace": (RTE, {"template": "} {blank}"}, "a brace that is meant is written twice"),
    "unknown filter": (RTE, {"template": "{premise:bear} {blank}"}, "`bear` cannot be done to"),
    "an attribute": (RTE, {"template": "{premise.x} {blank}"}, "there is no field `premise.x`"),
    "a template that is none": (RTE, {"template": ["a"]}, "template: a text is wanted, not ['a']"),
    "truth values": (RTE, {"verbalizer": [True, False]}, "quote them"),
    "too few words": (RTE, {"verbalizer": ["Yes"]}, "verbalizer: 1 words for 2 labels"),
    "one label": (RTE, {"labels": ["a"], "verbalizer": ["b"]}, "at least two values are needed"),
    "equal labels": (RTE, {"labels": ["a", "a"]}, "labels: one of a, a is there twice"),
    "no candidates": (COPA, {"candidates": None}, "candidates: is missing"),
    "one candidate": (COPA, {"candidates": ["x"]}, "a list of at least two texts"),
    "a bad candidate": (COPA, {"candidates": ["{x}", "y"]}, "candidates: there is no field `x`"),
    "too few names": (COPA, {"labels": ["a"]}, "labels: 1 values for 2 candidates"),
    "no candidate": (COPA, {"classifier": "{premise}"}, "classifier: {candidate} is not in it"),
    "no fields": (RTE, {"fields": []}, "fields: name at least one field"),
    "fields of no kind": (RTE, {"fields": 3}, "fields: a list of the record's fields is wanted"),
    "a field of no kind": (RTE, {"fields": {"premise": 3}}, "write the record's field"),
    "words of no kind": (RTE, {"fields": {"premise": {"words": 3}}}, "words are a mapping"),
    "a name with a dot": (RTE, {"fields": {"a.b": "c"}}, "`a.b` cannot be a name in a template"),
    "the label as a field": (RTE, {"fields": {"label": "x"}}, "the name of another field"),
    "a path above": (RTE, {"files": {"train": "../x"}}, "`../x` must be a path below"),
    "an absolute folder": (RTE, {"files": None, "folder": "/x"}, "`/x` must be a path below"),
    "unknown split": (RTE, {"files": {"val": "x"}}, "files: there is no split `val`"),
    "a file of no kind": (RTE, {"files": {"train": 3}}, "train: a path is wanted, not 3"),
    "unknown metric": (RTE, {"metrics": ["rg1"]}, "there is no metric `rg1` of a classification"),
    "groups without a field": (RTE, {"metrics": "em"}, "`em` is about groups"),
    "unknown reduction": (COPA, {"reduce": "max"}, "`max` is neither sum nor mean"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_said_with_its_place_and_key(kind: str) -> None:
    text, changes, said = MISTAKES[kind]
    with pytest.raises(UserError) as raised:
        made(text, **changes)
    assert str(raised.value).startswith("grid.yaml:3: no task can be made of this:\n  ")
    assert said in str(raised.value)


def test_all_mistakes_are_in_one_report() -> None:
    wrong = {"kind": "choice", "template": "{x}", "metrics": ["bleu"], "label": "", "colour": 1}
    with pytest.raises(UserError) as raised:
        template.task(wrong, "tea.yaml")
    for said in ("colour:", "name: is missing", "fields: is missing", "field `x`", "{blank}",
                 "metric `bleu`", "label: a text", "candidates: is missing"):  # fmt: skip
        assert said in str(raised.value)


@pytest.mark.parametrize("nothing", [None, [], "name: x", 3, {}])
def test_what_is_no_mapping_is_refused(nothing: Any) -> None:
    with pytest.raises(UserError, match=r"^tea\.yaml: no task can be made"):
        template.task(nothing, "tea.yaml")
