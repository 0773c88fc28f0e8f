"""The rule that mines noun phrases for WSC's negatives."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import TASKS
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.superglue.noun_phrases import negatives, noun_phrases

DATA = Path(os.environ.get("GLM_HARNESS_DATA", "/nowhere"), "superglue")


def phrases(text: str) -> list[str]:
    return [phrase.text for phrase in noun_phrases(text)]


def at(text: str, pronoun: str) -> tuple[int, int]:
    start = text.rindex(pronoun)
    return start, start + len(pronoun)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The trophy doesn't fit in the brown suitcase.", ["The trophy", "the brown suitcase"]),
        ("The cook asked the old man a question.", ["The cook", "the old man", "a question"]),
        ("She gave many lies to Pete.", ["many lies", "Pete"]),
        ("When Mr. Bond came, New York slept.", ["Mr. Bond", "New York"]),
        ("Ann's old red coat hung there.", ["Ann", "Ann's old red coat"]),
        ("the boys and the girls sang", ["the boys", "the boys and the girls", "the girls"]),
        ("Suddenly it rained.", []),
        ("Emily left.", ["Emily"]),
        ("Dogs bark. The cat sees dogs.", ["The cat"]),
        ("He said that this was theirs.", []),
        ("", []),
    ],
)  # fmt: skip
def test_phrases_by_the_rule(text: str, found: list[str]) -> None:
    assert phrases(text) == found


def test_the_originals_one_known_sample_is_reproduced() -> None:
    text = (
        "Mark told Pete many lies about himself, which Pete included in his book. "
        "He should have been more truthful."
    )
    assert negatives(text, "Mark", at(text, "He")) == ("Pete", "many lies", "his book")


def test_the_span_is_left_out_in_all_its_mentions() -> None:
    text = "The old man sat. The man slept; Bob and the man saw a boat. He woke."
    assert negatives(text, "the man", at(text, "He")) == ("Bob", "a boat")
    text = "Mr. Bond came with Ann. Bond smiled at her."
    assert negatives(text, "Mr. Bond", at(text, "her")) == ("Ann",)


def test_the_pronoun_is_no_candidate() -> None:
    text = "Ann took his hat, and Bob saw that hat."
    assert negatives(text, "Bob", (9, 12)) == ("Ann", "that hat")


def test_there_is_always_a_negative() -> None:
    assert negatives("Rain fell because clouds came over it.", "clouds", (0, 0)) == ("Rain",)
    assert negatives("it", "it", (0, 2)) == ("someone",)
    assert negatives("", "someone", (0, 0)) == ("nobody",)


sentences = st.lists(
    st.sampled_from(
        "the a his Ann Bob 's and old dog trees sat . , ! was very New York été It".split()
    ),
    max_size=20,
).map(" ".join)


@given(sentences, st.sampled_from(["Ann", "the dog", "New York", "old trees"]))
def test_negatives_are_distinct_other_and_never_none(text: str, span: str) -> None:
    found = negatives(text, span, (0, 0))
    assert found
    assert len({one.casefold() for one in found}) == len(found)
    assert span.casefold() not in {one.casefold() for one in found}
    assert found == negatives(text, span, (0, 0))


@given(st.text(max_size=60), st.text(min_size=1, max_size=10))
def test_no_text_breaks_the_rule(text: str, span: str) -> None:
    assert negatives(text, span, (0, 0))


@pytest.mark.skipif(not DATA.is_dir(), reason="GLM_HARNESS_DATA names no official files")
def test_the_rule_finds_four_of_five_of_the_annotators_spans() -> None:
    task, source = TASKS["wsc"], Folder(str(DATA))
    loaded = [row for split in ("train", "dev") for row in load(task, split, source).rows]
    hits = [
        row["span1_text"].casefold() in {one.casefold() for one in phrases(row["text"])}
        for row in loaded
    ]
    assert sum(hits) / len(hits) > 0.8
