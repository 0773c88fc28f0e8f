"""The eight tasks: their wording and rules, and agreement with the original's samples."""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import GROUPS, TASKS
from tasks.errors import UserError
from tasks.show import plain
from tasks.spec import Blank, Classify, Cloze, How, Part, Question, signature
from tests.tasks.samples import RECORDS, rows

GOLDEN = Path(__file__).parent.parent / "golden"
SAMPLES = json.loads((GOLDEN / "11_superglue_samples.json").read_text())["cases"]
VERBALIZER_IDS = json.loads((GOLDEN / "12_verbalizer_ids.json").read_text())
VOCABULARY = Path(os.environ.get("GLM_HARNESS_DATA", "/nowhere"), "vocab")

PROMPTS = {
    "record": "Ann Lee met Bob in Paris.\n- Bob likes tea After tea [MASK] flew home",
    "copa": '"it had rained" or "the sun shone"? The street was wet because [MASK].',
    "wsc": "Ann told Bob many lies about her trip, so that *he* wrote a long letter. "
    "The pronoun '*he*' refers to [MASK].",
    "rte": '"Bob bought a boat" ? [MASK], "Ann sold her boat to Bob."',
    "boolq": "Tea grows in Assam. It is picked by hand. Question: is tea grown in assam? "
    "Answer: [MASK].",
    "wic": '"We sat on the bank." / "The banks are closed." Similar sense of "bank"? [MASK].',
    "cb": '"it rained" ? [MASK], "Did she think that it rained? She did."',
    "multirc": "Ann has a cat. It is red. Question: What color is the cat? Is it Red? [MASK].",
}
CANDIDATES = {
    "record": ("Ann Lee", "Bob", "Paris"),
    "copa": ("it had rained", "the sun shone"),
    "wsc": ("Bob", "Ann", "many lies", "her trip", "a long letter"),
    "rte": ("Yes", "No"),
    "boolq": ("No", "Yes"),
    "wic": ("No", "Yes"),
    "cb": ("Yes", "No", "Maybe"),
    "multirc": ("No", "Yes"),
}
GOLD = {"record": 1, "copa": 0, "wsc": 0, "rte": 0, "boolq": 1, "wic": 0, "cb": 2, "multirc": 1}


def ask(name: str, how: How = How(), **changes: Any) -> list[Any]:  # noqa: B008
    return [q for row in rows(name, **changes) for q in TASKS[name].ask(row, how)]


@pytest.mark.parametrize("name", PROMPTS)
def test_one_rendered_prompt_per_task(name: str) -> None:
    question = ask(name)[0]
    assert plain(question.text) == PROMPTS[name]
    assert question.candidates == CANDIDATES[name]
    assert question.gold == (GOLD[name],)
    assert question.verbalizer == (name not in ("copa", "record", "wsc"))


def test_the_superglue_group_is_table_1s_order() -> None:
    assert GROUPS["superglue"] == tuple(PROMPTS)


# ---- the original's samples


def wordpieces(text: str) -> list[str]:
    """BERT's words: lower case, no accents, every punctuation mark a word of its own."""
    plain = unicodedata.normalize("NFD", text.replace("[MASK]", " MASKED ").lower())
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
    return re.findall(r"\w+|[^\w\s]", plain)


def asked(case: dict[str, Any]) -> list[Question]:
    """Our questions for a case of the original's."""
    task = TASKS[case["task"]]
    style = "classifier" if case["options"].get("cloze_eval") is False else "cloze"
    negatives = case["options"].get("wsc_negative")
    mode = "generate" if case["task"] == "wsc" and not negatives else ""
    train = case["split"] == "train" and mode != "generate"
    how = How(style=style, train=train, pattern=case["pattern_id"], mode=mode)
    pattern_free = replace(how, pattern=0) if style == "classifier" else how
    assert task.rows is not None
    parsed = [row for record in case["raw"] for row in task.rows(complete(record))]
    assert all(task.check(row) is None for row in parsed)
    return [question for row in parsed for question in task.ask(row, pattern_free)]


def complete(record: dict[str, Any]) -> dict[str, Any]:
    """The golden's WiC rows leave out the spans that the official files have."""
    if "word" not in record:
        return record
    spans = {}
    for n in "12":
        spans[f"start{n}"] = record[f"sentence{n}"].index(record["word"])
        spans[f"end{n}"] = spans[f"start{n}"] + len(record["word"])
    return record | spans


def case_name(case: dict[str, Any]) -> str:
    return (
        f"{case['task']}-{case['pattern_id']}-{case['tokenizer']}-{case['seq_length']}"
        + "".join(f"-{key}" for key in case["options"])
    )


@pytest.mark.parametrize("case", SAMPLES, ids=case_name)
def test_texts_and_candidates_are_the_originals_word_for_word(case: dict[str, Any]) -> None:
    questions = asked(case)
    assert len(questions) == case["num_examples"] == len(case["samples"])
    first, decoded = questions[0], case["decoded_first"]
    body = decoded.removeprefix("[CLS]").split("<|startofpiece|>")[0]
    if isinstance(first, Classify):
        parts = [part for part in first.inputs[0] if isinstance(part, Part)]
        sides = {side: "".join(p.text for p in parts if p.side == side) for side in "ab"}
        assert [wordpieces(side) for side in sides.values()] == [
            wordpieces(side) for side in body.split("[SEP]")
        ]
        return
    body = body.replace("[PAD]", "").replace("[SEP]", "")
    assert isinstance(first, Cloze)
    if case["tokenizer"] == "roberta":  # a byte-level vocabulary keeps every space
        spoken = "".join("[MASK]" if isinstance(p, Blank) else p.text for p in first.text)
        assert spoken == body
    ours, theirs = wordpieces(plain(first.text)), wordpieces(body)
    if case["seq_length"] == 24:  # shortened: the premise loses its end, its quotation mark stays
        assert theirs == ours[: len(theirs) - 1] + ours[-1:]
        return
    assert ours == theirs
    if not first.verbalizer:
        written = decoded.split("<|startofpiece|>")[1]
        assert wordpieces(written) == wordpieces(first.candidates[0])


@pytest.mark.parametrize("case", SAMPLES, ids=case_name)
def test_gold_is_the_originals_label(case: dict[str, Any]) -> None:
    for question, sample in zip(asked(case), case["samples"], strict=True):
        assert isinstance(question, Cloze | Classify)
        wanted = sample["label"]
        if isinstance(question, Cloze) and question.loss == "generate":
            wanted = 1 - wanted  # the original's label True is our candidate 0
        elif case["task"] == "record" and isinstance(question, Cloze):
            wanted = question.candidates.index("Ann Lee")  # the original marks candidate n by n + 1
        assert question.gold == (wanted,)


@cache
def bert_ids() -> Callable[[str], list[int]]:
    """Text -> ids of the real BERT-uncased vocabulary."""
    from tokenizers import BertWordPieceTokenizer

    tokens = (VOCABULARY / "bert-base-uncased-vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {token: number for number, token in enumerate(tokens) if token}
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=True)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.skipif(not VOCABULARY.is_dir(), reason="GLM_HARNESS_DATA names no vocabularies")
@pytest.mark.parametrize(
    "case", [c for c in SAMPLES if c["tokenizer"] == "bert-uncased"], ids=case_name
)
def test_token_ids_are_the_originals(case: dict[str, Any]) -> None:
    ids = bert_ids()
    for question, sample in zip(asked(case), case["samples"], strict=True):
        if not isinstance(question, Cloze) or case["seq_length"] == 24:
            continue
        pieces = [[103] if isinstance(p, Blank) else ids(p.text) for p in question.text]
        ours = [101, *(one for piece in pieces for one in piece), 0, 30522]
        theirs = sample["text"] if isinstance(sample["text"][0], int) else sample["text"][0]
        assert theirs[: len(ours)] == ours
        targets = sample["target"]
        if question.verbalizer:
            assert [ids(word) for word in question.candidates] == [[one] for one in targets]
        else:
            rows_of_targets = targets if isinstance(targets[0], list) else [targets]
            written = [[one for one in row if one] for row in rows_of_targets]
            assert written == [[*ids(word), 30523] for word in question.candidates]


@pytest.mark.skipif(not VOCABULARY.is_dir(), reason="GLM_HARNESS_DATA names no vocabularies")
@pytest.mark.parametrize("name", sorted(key for key in VERBALIZER_IDS if key.endswith("/bert")))
def test_verbalizers_are_the_originals_tokens(name: str) -> None:
    task, pattern, _ = name.split("/")
    ids, words = bert_ids(), ask(task, How(pattern=int(pattern)))[0].candidates
    assert [ids(word) for word in words] == [[one] for one in VERBALIZER_IDS[name]]


# ---- the rules that decide scores


def test_copa_trains_with_the_choices_swapped_too() -> None:
    one, other = ask("copa", How(train=True))
    assert (other.id, other.candidates) == (one.id + "m", one.candidates[::-1])
    assert (one.gold, other.gold) == ((0,), (1,))
    assert plain(other.text).startswith('"the sun shone" or "it had rained"?')
    assert len(ask("copa")) == 1


def test_copa_says_so_for_an_effect() -> None:
    assert "wet, so [MASK]." in plain(ask("copa", question="effect")[0].text)


def many_entities(count: int, answers: int) -> dict[str, Any]:
    names = [f"Name{n:02}" for n in range(count)]
    text = " ".join(names)
    spans = [{"start": text.index(n), "end": text.index(n) + len(n) - 1} for n in names]
    gold = [span | {"text": name} for span, name in zip(spans[:answers], names, strict=False)]
    return {
        "passage": {"text": text, "entities": spans},
        "qas": [{"idx": 0, "query": "@placeholder came", "answers": gold}],
    }


def test_record_trains_one_question_per_right_answer_with_at_most_ten_candidates() -> None:
    questions = ask("record", How(train=True), **many_entities(25, answers=3))
    assert [q.candidates[0] for q in questions] == ["Name00", "Name01", "Name02"]
    for question in questions:
        assert question.gold == (0,)
        assert len(set(question.candidates)) == 10
        assert not {"Name00", "Name01", "Name02"} & set(question.candidates[1:])
    assert len({q.candidates[1:] for q in questions}) == 3  # drawn for each anew
    assert len({q.id for q in questions}) == 3


def test_record_draws_depend_on_the_seed_and_the_row_alone() -> None:
    few = many_entities(25, answers=1)
    same = [ask("record", How(train=True, seed=1), **few) for _ in range(2)]
    assert same[0] == same[1]
    assert ask("record", How(train=True, seed=2), **few) != same[0]
    assert ask("record", How(train=True, seed=1), idx=8, **few)[0].candidates != (
        same[0][0].candidates
    )


def test_record_is_evaluated_over_all_distinct_entities_in_sorted_order() -> None:
    (question,) = ask("record", **many_entities(25, answers=3))
    assert question.candidates == tuple(f"Name{n:02}" for n in range(25))
    assert question.gold == (0, 1, 2)
    assert question.references == ("Name00", "Name01", "Name02")
    assert ask("record")[0].candidates.count("Bob") == 1  # named twice in the passage


def test_multirc_is_binary_per_answer_and_grouped_by_question() -> None:
    one, other = ask("multirc")
    assert (one.id, other.id) == ("7-3-11", "7-3-12")
    assert one.group == other.group == "7-3"
    assert (one.gold, other.gold) == ((1,), (0,))


def test_wsc_ranks_the_span_against_other_phrases_by_mean_log_probability() -> None:
    (question,) = ask("wsc")
    assert (question.reduce, question.loss, question.gold) == ("mean", "mix", (0,))
    (question,) = ask("wsc", label=False)
    assert question.gold == tuple(range(1, len(question.candidates)))  # any but the span is right


def test_wsc_trains_on_true_rows_alone() -> None:
    for mode in ("rank", "generate"):
        assert len(ask("wsc", How(train=True, mode=mode))) == 1
        assert ask("wsc", How(train=True, mode=mode), label=False) == []
    assert len(ask("wsc", How(style="classifier", train=True), label=False)) == 1


@pytest.mark.parametrize(("count", "questions"), [(1, 1), (9, 1), (10, 2), (18, 2), (19, 3)])
def test_wsc_trains_on_nine_negatives_a_question(count: int, questions: int) -> None:
    given = [{"text": f"phrase {n}"} for n in range(count)]
    asked = ask("wsc", How(train=True), candidates=given)
    assert len(asked) == questions
    assert {c for q in asked for c in q.candidates[1:]} == {c["text"] for c in given}
    if count > 9:
        assert all(len(q.candidates) == 10 for q in asked)
    assert len({q.id for q in asked}) == questions
    assert len(ask("wsc", candidates=given)[0].candidates) == count + 1  # all in evaluation


def test_wsc_generate_asks_whether_the_span_would_be_written() -> None:
    (yes,), (no,) = (ask("wsc", How(mode="generate"), label=value) for value in (True, False))
    assert yes.candidates == no.candidates == ("Bob",)
    assert (yes.loss, yes.gold, no.gold) == ("generate", (0,), (1,))


def test_a_mode_that_wsc_or_its_style_does_not_have_is_refused() -> None:
    for how in (
        How(mode="guess"),
        How(mode="classify"),
        How(mode="rank", style="classifier"),
    ):
        with pytest.raises(UserError, match="mode"):
            ask("wsc", how)


@pytest.mark.parametrize(("index", "text"), [(10, "he"), (9, "he"), (11, "he"), (10, "He")])
def test_wsc_finds_the_pronoun_a_word_away_too(index: int, text: str) -> None:
    target = RECORDS["wsc"]["target"] | {"span2_index": index, "span2_text": text}
    (question,) = ask("wsc", target=target)
    assert "that *he* wrote" in plain(question.text)


def test_wsc_splits_punctuation_from_the_pronoun() -> None:
    target = {"span1_text": "Ann", "span1_index": 0, "span2_text": "her", "span2_index": 3}
    (question,) = ask("wsc", text='Ann said "Bob her," and left.', target=target)
    assert '"Bob *her*," and' in plain(question.text)


def test_an_unlabelled_row_has_no_gold() -> None:
    for name in RECORDS:
        for style in ("cloze", "classifier"):
            for row in rows(name):
                bare = {k: v for k, v in row.items() if k not in ("label", "answers")}
                for question in TASKS[name].ask(bare, How(style=style)):
                    assert isinstance(question, Cloze | Classify)
                    assert question.gold == ()


# ---- classifier


def test_the_classifier_marks_the_words_it_is_about() -> None:
    def marked(question: Classify) -> list[str]:
        marks = {p.mark: p.text for p in question.inputs[0] if isinstance(p, Part) and p.mark}
        assert question.marks == len(marks)
        return [marks[number] for number in sorted(marks)]

    assert marked(ask("wic", How(style="classifier"))[0]) == ["bank", "banks"]
    assert marked(ask("wsc", How(style="classifier"))[0]) == ["he", "Bob"]
    apart = RECORDS["wsc"]["target"] | {"span1_text": "Ann and Bob"}
    text = RECORDS["wsc"]["text"] + " And so on."
    assert marked(ask("wsc", How(style="classifier"), text=text, target=apart)[0])[1] == (
        "Ann and Bob"
    )


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("boolq", "Tea grows in Assam. It is picked by hand.", "is tea grown in assam"),
        ("multirc", "Ann has a cat. It is red.", "What color is the cat? answer: Red"),
        ("copa", "The street was wet. because", "It had rained."),
        ("rte", "Ann sold her boat to Bob.", "Bob bought a boat."),
        ("record", "Ann Lee met Bob in Paris.\n- Bob likes tea",
         "After tea @placeholder flew home Ann Lee"),
    ],
)  # fmt: skip
def test_classifier_inputs_are_pairs(name: str, a: str, b: str) -> None:
    question = ask(name, How(style="classifier"))[0]
    sides = ["".join(p.text for p in question.inputs[0] if p.side == side) for side in "ab"]
    assert sides == [a, b]
    one_logit_each = name in ("copa", "record")
    assert question.classes == (1 if one_logit_each else len(question.labels))
    assert len(question.inputs) == (len(question.labels) if one_logit_each else 1)


# ---- properties

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)
prose = st.lists(words, min_size=1, max_size=8).map(" ".join).filter(str.strip)


@st.composite
def any_row(draw: st.DrawFn) -> tuple[str, dict[str, Any], bool]:
    """A task's sample row with its free texts exchanged for any others that pass the check."""
    name = draw(st.sampled_from([n for n in RECORDS if n not in ("wsc", "record")]))
    row = dict(rows(name)[0])
    for field in ("premise", "hypothesis", "question", "passage", "answer", "choice1", "choice2"):
        if field in row and not (name == "copa" and field == "question"):
            row[field] = draw(prose)
    return name, row, TASKS[name].check(row) is None


@given(any_row(), st.integers(0, 5), st.booleans())
def test_a_question_has_one_blank_that_no_cut_touches_and_distinct_candidates(
    made: tuple[str, dict[str, Any], bool], pattern: int, train: bool
) -> None:
    name, row, good = made
    task = TASKS[name]
    if not good or pattern >= task.patterns:
        return
    for question in task.ask(row, How(pattern=pattern, train=train)):
        assert isinstance(question, Cloze)
        assert_well_formed(question.text, question.candidates)
        assert len(question.gold) == 1


def assert_well_formed(text: Sequence[Part | Blank], candidates: Sequence[str]) -> None:
    assert sum(isinstance(piece, Blank) for piece in text) == 1
    assert all(piece.text and piece.cut in ("", "end") for piece in text if isinstance(piece, Part))
    assert any(piece.cut for piece in text if isinstance(piece, Part))
    assert len(set(candidates)) == len(candidates) >= 2
    assert all(candidate.strip() for candidate in candidates)


@pytest.mark.parametrize("name", RECORDS)
def test_every_pattern_is_there_and_no_other(name: str) -> None:
    task = TASKS[name]
    texts = set()
    for pattern in range(task.patterns):
        (question, *_) = ask(name, How(pattern=pattern))
        assert_well_formed(question.text, question.candidates)
        texts.add((question.text, question.candidates))
    assert len(texts) == task.patterns
    with pytest.raises(UserError, match=f"no pattern {task.patterns + 9}"):
        ask(name, How(pattern=task.patterns + 9))


def test_the_signature_says_what_changes_a_score() -> None:
    def signed(name: str, how: How) -> str:
        return signature(TASKS[name], how, TASKS[name].metrics[0])

    assert signed("copa", How()) == "acc|version:1|task:copa|style:cloze|pattern:0"
    assert "pattern:4" in signed("boolq", How(pattern=4))
    assert "mode:rank|negatives:file-or-np-rule-1" in signed("wsc", How())
    assert "mode:generate" in signed("wsc", How(mode="generate"))
    assert "normalisation:squad" in signed("record", How())
