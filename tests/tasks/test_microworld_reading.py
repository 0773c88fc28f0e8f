"""Answers need reading: bags of words stay at the floor, as do hypotheses and questions alone."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from tasks.microworld import superglue
from tasks.microworld.lexicon import Cast, pool

FIELDS = {
    "CB": ("premise", "hypothesis"),
    "RTE": ("premise", "hypothesis"),
    "COPA": ("premise", "choice1", "choice2"),
    "WiC": ("sentence1", "sentence2", "word"),
    "BoolQ": ("passage", "question"),
}
ROWS = 2000


def examples(task: str, row: dict) -> Iterator[tuple[tuple[str, ...], object]]:
    """A row as classified texts; ReCoRD as one true-or-false question an entity."""
    passage = row.get("passage")
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


def drawn(task: str, split: str) -> tuple[list[tuple[str, ...]], list]:
    found, index = [], 0
    while len(found) < ROWS:
        for row in superglue.MAKERS[task](Cast(Random(f"{task}/{split}/{index}"), pool(split))):
            found += examples(task, row)
        index += 1
    return [texts for texts, _ in found], [label for _, label in found]


@pytest.mark.parametrize("binary", [False, True], ids=["counts", "presence"])
@pytest.mark.parametrize("task", superglue.MAKERS)
def test_a_bag_of_words_stays_within_five_points_of_the_majority_class(task, binary):
    train, labels = drawn(task, "train")
    dev, gold = drawn(task, "dev")
    floor = max(Counter(gold).values()) / len(gold)
    bags = [CountVectorizer(binary=binary, token_pattern=r"\w+") for _ in train[0]]
    train_bags = [bag.fit_transform([t[i] for t in train]) for i, bag in enumerate(bags)]
    dev_bags = [bag.transform([t[i] for t in dev]) for i, bag in enumerate(bags)]
    joint = CountVectorizer(binary=binary, token_pattern=r"\w+")
    inputs = {
        "all parts in one bag": (
            joint.fit_transform(" ".join(t) for t in train),
            joint.transform(" ".join(t) for t in dev),
        ),
        "a bag a part": (hstack(train_bags), hstack(dev_bags)),
    }
    for index, pair in enumerate(zip(train_bags, dev_bags)):
        inputs[f"part {index} alone"] = pair
    for name, (x, y) in inputs.items():
        model = LogisticRegression(max_iter=300).fit(x, labels)
        assert abs(model.score(y, gold) - floor) <= 0.05, name
