"""Metrics of a choice among classes: accuracy, F1 and MultiRC's exact match.

Where an answer is unlabelled or was not given there are no statistics, and so no number.
"""

from collections import defaultdict
from collections.abc import Sequence

from tasks.spec import Answer, Metric
from tasks.sums import Rows, ones

Answers = Sequence[Answer]


def scorable(answers: Answers) -> bool:
    """Whether there are answers, and each is labelled and chosen."""
    return bool(answers) and all(a.gold and a.choice is not None for a in answers)


def right(answers: Answers) -> Rows | None:
    """(1 if the choice is one of the gold ones, 1)."""
    return ones(a.choice in a.gold for a in answers) if scorable(answers) else None


def classes(answers: Answers) -> Rows | None:
    """(hit, chosen, gold) of every class in turn; of several gold classes the first is meant."""
    if not scorable(answers):
        return None
    count = 1 + max(max(a.choice or 0, *a.gold, len(a.candidates) - 1) for a in answers)
    return [tuple(number for one in range(count) for number in _of_class(a, one)) for a in answers]


def positives(answers: Answers) -> Rows | None:
    """(hit, chosen, gold) of class 1, "this answer is right"."""
    return [_of_class(a, 1) for a in answers] if scorable(answers) else None


def _of_class(a: Answer, one: int) -> tuple[float, float, float]:
    chosen, gold = a.choice == one, one in a.gold
    return float(chosen and gold), float(chosen), float(gold)


def whole_groups(answers: Answers) -> Rows | None:
    """(1 if every answer of the group is right, 1) with a group's first answer, (0, 0) with others.

    A group is MultiRC's question, or a row and its twins.
    """
    if not scorable(answers):
        return None
    exact: dict[str, bool] = defaultdict(lambda: True)
    for a in answers:
        exact[a.group] &= a.choice in a.gold
    return _with_the_first(answers, {group: float(value) for group, value in exact.items()})


def twins(answers: Answers) -> Rows | None:
    """As `whole_groups`, where every answer belongs to a group: rows of the same words, of which
    who does not read the order can get one right and never all."""
    return whole_groups(answers) if all(a.group for a in answers) else None


def guessed_groups(answers: Answers) -> Rows:
    """What uniform guessing is expected to score: the product of a group's chances."""
    chance: dict[str, float] = defaultdict(lambda: 1.0)
    labels = 1 + max(max(a.gold) for a in answers)
    for a in answers:
        chance[a.group] *= len(a.gold) / (len(a.candidates) or labels)
    return _with_the_first(answers, chance)


def _with_the_first(answers: Answers, value: dict[str, float]) -> Rows:
    left = dict(value)
    return [(left.pop(a.group), 1.0) if a.group in left else (0.0, 0.0) for a in answers]


ACCURACY = Metric("acc", "acc|version:1", right)
MACRO_F1 = Metric("f1", "f1|average:macro|classes:seen|version:1", classes, "macro-f1")
F1A = Metric("f1a", "f1a|version:1", positives, "f1")
TWINS = Metric("twins", "twins|groups:twin|version:1", twins, guessed=guessed_groups)
EXACT_GROUPS = Metric("em", "em|groups:question|version:1", whole_groups, guessed=guessed_groups)
