"""What levels ask for: from level 2 on words alone say nothing, at level 1 pairs of them do."""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from tasks import TASKS
from tasks.microworld import generation, superglue
from tasks.microworld.lexicon import Cast, pool
from tasks.microworld.passages import Mixture
from tasks.microworld.scenes import FAMILIES, journey

FIELDS = {
    "CB": ("premise", "hypothesis"),
    "RTE": ("premise", "hypothesis"),
    "COPA": ("premise", "choice1", "choice2"),
    "WiC": ("sentence1", "sentence2", "word"),
    "BoolQ": ("passage", "question"),
}
ROWS = 1500
EVERY = [(task, level) for task, levels in superglue.HAS.items() for level in levels]
READ = [(task, level) for task, level in EVERY if level > 1]


def examples(task: str, row: dict) -> Iterator[tuple[tuple[str, ...], object]]:
    """A row as classified texts; ReCoRD as one true-or-false question an entity."""
    passage = row.get("passage", {})
    if task == "MultiRC":
        for question in passage["questions"]:
            for answer in question["answers"]:
                yield (passage["text"], question["question"], answer["text"]), answer["label"]
    elif task == "ReCoRD":
        text, (query,) = passage["text"], row["qas"]
        for name in sorted({text[e["start"] : e["end"] + 1] for e in passage["entities"]}):
            yield (text, query["query"], name), name == query["answers"][0]["text"]
    elif task == "WSC":
        yield (row["text"], row["target"]["span1_text"]), row["label"]
    else:
        yield tuple(row[field] for field in FIELDS[task]), row["label"]


def groups(task: str, level: int, split: str) -> Iterator[list[dict]]:
    """Groups of twins of one level, with the distances and distractors of the mixture."""
    index = 0
    while True:
        rng = Random(f"{task}/{level}/{split}/{index}")
        yield superglue.MAKERS[task](Cast(rng, pool(split)), Mixture().draw(rng, 0, (level,)))
        index += 1


def drawn(task: str, level: int, split: str) -> tuple[list[tuple[str, ...]], list]:
    found: list = []
    for group in groups(task, level, split):
        found += [example for row in group for example in examples(task, row)]
        if len(found) >= ROWS:
            break
    return [texts for texts, _ in found], [label for _, label in found]


def bag(texts: list[str], others: list[str], binary: bool = False):
    """The words of texts and of other texts, by the words of the former."""
    words = CountVectorizer(binary=binary, token_pattern=r"\w+")
    return words.fit_transform(texts), words.transform(others)


@pytest.mark.parametrize("task, level", READ)
def test_from_level_2_on_a_bag_of_words_stays_within_five_points_of_the_majority(task, level):
    train, labels = drawn(task, level, "train")
    dev, gold = drawn(task, level, "dev")
    floor = max(Counter(gold).values()) / len(gold)
    parts = [bag([t[i] for t in train], [t[i] for t in dev]) for i in range(len(train[0]))]
    joined = [" ".join(t) for t in train], [" ".join(t) for t in dev]
    whole = [bag(*joined), bag(*joined, binary=True)]
    seen = {"all parts": [*parts, *whole], "the last part alone": parts[-1:]}
    for name, bags in seen.items():
        model = LogisticRegression(max_iter=400).fit(hstack([x for x, _ in bags]), labels)
        assert abs(model.score(hstack([y for _, y in bags]), gold) - floor) <= 0.05, name


@pytest.mark.parametrize("task, level", [(t, n) for t, n in READ if (t, n) != ("WSC", 3)])
def test_from_level_2_on_twins_hold_the_same_words(task, level):
    """In WSC's level 3 the last word differs, as Winograd made them."""
    made = groups(task, level, "dev")
    for _ in range(100):
        rows = next(made)
        texts = [" ".join(superglue.units(task, row)).lower() for row in rows]
        if task == "COPA":
            texts = [f"{text} {row['choice1']} {row['choice2']}" for text, row in zip(texts, rows)]
        assert len({tuple(sorted(re.findall(r"\w+", text))) for text in texts}) == 1, rows


@pytest.mark.parametrize("level", [2, 3, 4])
def test_from_level_2_on_what_is_named_first_says_nothing(level):
    """But on a journey, where the later place is what is asked for."""
    for family in FAMILIES[level]:
        first = total = 0
        for index in range(500):
            scene = family(Cast(Random(f"{family.__name__}/{index}"), pool("dev")))
            text = scene.text().lower()
            for ask in scene.asks:
                yes, no = (
                    re.search(rf"\b{re.escape(name.lower())}\b", text)
                    for name in (ask.answer, ask.other)
                )
                assert yes and no
                first += yes.start() < no.start()
                total += 1
        assert family is journey or 0.4 < first / total < 0.6, (family.__name__, first / total)


def test_at_level_1_words_say_the_label_of_cb_and_pairs_of_words_that_of_rte():
    """What goes with what: an attitude with its label, a cause with its effect."""
    for task, texts in (("CB", " ".join), ("RTE", pairs)):
        (train, labels), (dev, gold) = (drawn(task, 1, split) for split in ("train", "dev"))
        train, labels = train[:1000], labels[:1000]
        x, y = bag([texts(t) for t in train], [texts(t) for t in dev], binary=True)
        score = LogisticRegression(max_iter=400).fit(x, labels).score(y, gold)
        assert score >= {"CB": 0.99, "RTE": 0.8}[task], task


def pairs(texts: tuple[str, ...]) -> str:
    """Every pair of a lower-case word of the one text and one of the other, as one word."""
    one, other = (sorted(set(re.findall(r"\b[a-z]+", text))) for text in texts)
    return " ".join(f"{v}_{w}" for v in one for w in other)


def test_tasks_say_which_levels_the_world_has_of_them():
    made = {name.lower(): levels for name, levels in superglue.HAS.items()} | generation.HAS
    plain = ("gigaword", "yahoo")  # lines of text have no place for a level
    for name, levels in made.items():
        assert TASKS[name].levels == (() if name in plain else levels)
