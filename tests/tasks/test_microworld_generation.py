"""The built-in world's files for generation and language modelling, against its oracle."""

import json
import re
from collections import Counter
from random import Random

import pytest

from tasks.generation.rouge import rouge
from tasks.microworld import generation, oracle, reading
from tasks.microworld.lexicon import Cast, pool
from tasks.microworld.passages import Mixture
from tasks.spec import Answer


def rows(task: str, count: int = 200, split: str = "dev") -> list:
    """Rows of all levels of a task, as many groups as `count`."""
    made = []
    for index in range(count):
        rng = Random(f"{task}/{index}")
        dial = Mixture().draw(rng, index, generation.HAS[task])
        made += generation.MAKERS[task](Cast(rng, pool(split)), dial)
    return made


@pytest.mark.parametrize("split", ["train", "dev"])
def test_summaries_say_what_the_story_comes_to(split):
    for row in rows("cnndm", split=split):
        highlights = row["highlights"].split("\n")
        assert len(highlights) == 2
        assert oracle.summary(row["article"], highlights), row
    for row in rows("xsum", split=split):
        assert oracle.summary(row["document"], [row["summary"]]), row


def test_a_false_summary_is_noticed():
    story = "Mara went to the hall. Tomo ran to the park. Mara found the red cup."
    assert oracle.summary(story, ["Mara keeps red cup in hall ."])
    assert not oracle.summary(story, ["Tomo keeps red cup in park ."])
    assert not oracle.summary(story, ["Red cup lies in hall ."])
    assert not oracle.summary(story, ["Mara is in the hall."])


def test_headlines_name_taker_thing_and_giver():
    for row in rows("gigaword"):
        assert oracle.headline(row["document"]) == row["summary"], row


def test_answers_stand_where_the_row_says_and_answer_the_question():
    for row in rows("squad_qg"):
        (answer,) = row["answers"]
        start, text = answer["answer_start"], answer["text"]
        assert row["context"][start : start + len(text)] == text
        assert reading.fits(reading.read(row["context"]), row["question"], text), row


def test_one_word_alone_concludes_a_passage():
    for row in rows("lambada"):
        assert oracle.last_word(row["text"]) == row["text"].split()[-1]


def test_last_words_come_in_twins_that_share_their_last_sentence():
    made = rows("lambada", 50)
    for one, two in zip(made[::2], made[1::2]):
        heads = [row["text"].rsplit(". ", 1)[1].rsplit(" ", 1)[0] for row in (one, two)]
        assert heads[0] == heads[1]
        assert one["text"].split()[-1] != two["text"].split()[-1]


@pytest.mark.parametrize("ratio", generation.RATIOS)
def test_blanks_take_the_ratio_of_words_and_leave_the_rest(ratio):
    for line in rows("yahoo", 50):
        assert line == line.lower() and len(line.split()) <= 80
        blanked = generation.blanked(line, ratio, Random(0))
        kept = [word for word in blanked.split() if word != "<blank>"]
        assert len(line.split()) - len(kept) == max(1, int(len(line.split()) * float(ratio) + 1e-9))
        assert "<blank> <blank>" not in blanked
        pattern = " ".join(".+" if w == "<blank>" else re.escape(w) for w in blanked.split())
        assert re.fullmatch(pattern, line)


def test_rows_are_plain_json():
    for task in generation.MAKERS:
        assert json.loads(json.dumps(rows(task, 2))) == rows(task, 2)


WRITTEN = {"cnndm": "highlights", "xsum": "summary", "gigaword": "summary", "squad_qg": "question"}


@pytest.mark.parametrize("task, field", WRITTEN.items())
def test_no_constant_text_gets_half_of_what_a_copy_of_the_reference_gets(task, field):
    """The constants: every reference, and the words that most references hold, however many."""
    texts = [row[field].replace("\n", " ") for row in rows(task, 80)]
    held = Counter(word for text in texts for word in dict.fromkeys(text.split()))
    common = [word for word, _ in held.most_common(12)]
    constants = [*texts[:24], *(" ".join(common[:count]) for count in range(1, 13))]
    metric = rouge("rg1")

    def score(said: list[str]) -> float:
        pairs = zip(texts, said, strict=True)
        return metric.compute([Answer("", text=b, references=(a,)) for a, b in pairs]) or 0.0

    assert score(texts) == 1.0
    best = max(score([text] * len(texts)) for text in constants)
    assert best < 0.5, best


@pytest.mark.parametrize("ratio", generation.RATIOS)
def test_what_is_blanked_can_be_read_elsewhere_in_the_text(ratio):
    """A hidden word stands somewhere else unhidden."""
    for number, line in enumerate(rows("yahoo", 50)):
        blanked = generation.blanked(line, ratio, Random(number))
        kept = Counter(blanked.split())
        hidden = Counter(line.split()) - kept
        assert all(kept[word] for word in hidden), blanked
