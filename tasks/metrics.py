"""Answers -> numbers, each with a signature of everything that changes it.

A number that cannot be computed (no answers, an unlabelled or unanswered question, a task missing
from an average) is None, and so is whatever would have been computed from it.
"""

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tasks.errors import Absent
from tasks.spec import Answer, Metric, Question, Task

Answers = Sequence[Answer]


def _scorable(answers: Answers) -> bool:
    """Whether there are answers, and each is labelled and chosen."""
    return bool(answers) and all(a.gold and a.choice is not None for a in answers)


def mean_of(values: Iterable[float]) -> float:
    """The arithmetic mean of at least one value."""
    listed = list(values)
    return sum(listed) / len(listed)


# ---- classes


def accuracy(answers: Answers) -> float | None:
    """The share of answers whose choice is one of the gold ones."""
    return mean_of(a.choice in a.gold for a in answers) if _scorable(answers) else None


def macro_f1(answers: Answers) -> float | None:
    """The unweighted mean of F1 over the classes that occur as gold or as choice."""
    if not _scorable(answers):
        return None
    classes = {a.choice for a in answers} | {a.gold[0] for a in answers}
    return mean_of(_f1_of_class(answers, one) or 0.0 for one in classes)


def _f1_of_class(answers: Answers, one: int | None) -> float | None:
    """F1 of one class against the others; None where it is neither gold nor chosen."""
    hits = sum(a.choice == one and one in a.gold for a in answers)
    either = sum(a.choice == one for a in answers) + sum(one in a.gold for a in answers)
    return 2 * hits / either if either else None


def f1a(answers: Answers) -> float | None:
    """MultiRC: F1 of the right answers (class 1) over all answers of all questions."""
    return _f1_of_class(answers, 1) if _scorable(answers) else None


def exact_groups(answers: Answers) -> float | None:
    """MultiRC's EM: the share of groups (questions) with every answer right."""
    if not _scorable(answers):
        return None
    groups: dict[str, bool] = defaultdict(lambda: True)
    for a in answers:
        groups[a.group] &= a.choice in a.gold
    return mean_of(groups.values())


# ---- strings (ReCoRD)

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single spaces.

    >>> normalised("The U.S. President's")
    'us presidents'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def ascii_normalised(text: str) -> str:
    """The same after transliteration to ASCII by Unidecode, as in GLM's code ("café" is "cafe").

    Raises `Absent` where Unidecode is not installed.
    """
    try:
        from unidecode import unidecode
    except ImportError:
        raise Absent("this normalisation needs Unidecode: pip install Unidecode") from None
    return normalised(unidecode(text))


def token_f1(prediction: str, reference: str) -> float:
    """F1 of two normalised strings as bags of words."""
    said, wanted = prediction.split(), reference.split()
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def exact_match(prediction: str, reference: str) -> float:
    """1 where two normalised strings are equal, else 0."""
    return float(prediction == reference)


def best_reference(
    compare: Callable[[str, str], float], normalise: Callable[[str], str], answers: Answers
) -> float | None:
    """The mean over answers of the best comparison of the chosen candidate with a reference."""
    if not answers or any(a.choice is None or not a.references for a in answers):
        return None
    return mean_of(
        max(compare(normalise(a.candidates[a.choice]), normalise(r)) for r in a.references)
        for a in answers
        if a.choice is not None
    )


ACCURACY = Metric("acc", accuracy, "acc|version:1")
MACRO_F1 = Metric("f1", macro_f1, "f1|average:macro|classes:seen|version:1")
F1A = Metric("f1a", f1a, "f1a|version:1")
EXACT_GROUPS = Metric("em", exact_groups, "em|groups:question|version:1")


def _record(normalise: Callable[[str], str], name: str) -> tuple[Metric, Metric]:
    after = f"normalisation:{name}|references:max|version:1"
    return (
        Metric("f1", partial(best_reference, token_f1, normalise), f"f1|tokens|{after}"),
        Metric("acc", partial(best_reference, exact_match, normalise), f"acc|exact-match|{after}"),
    )


# ReCoRD's exact match goes by the name that the paper's tables give it: Acc.
RECORD = _record(normalised, "squad")
RECORD_ASCII = _record(ascii_normalised, "squad+unidecode")


# ---- over tasks


def superglue_average(
    values: Mapping[str, Mapping[str, float | None]], tasks: Sequence[str]
) -> float | None:
    """The mean over tasks, a task with two metrics counting as the mean of its two.

    `values` is task -> metric -> value. None if a task or a metric is missing: an average over
    seven tasks is another number under the same name.
    """
    means = []
    for task in tasks:
        numbers = list(values.get(task, {}).values())
        if not numbers or any(number is None for number in numbers):
            return None
        means.append(mean_of(number for number in numbers if number is not None))
    return mean_of(means) if means else None


def floor(task: Task, questions: Sequence[Question], answers: Answers) -> dict[str, float | None]:
    """What is reached without reading: metric -> value of the task's floor.

    Of all constant answers ("always class k") it is the one that does best on the task's first
    metric; for accuracy that is the majority class, and for MultiRC, where F1a comes first, it is
    "every answer is right". A task with a `guess` (ReCoRD: the candidate that its passage names
    most often) is answered by that instead. `answers` carry the gold; `questions` are theirs, in
    order, and may be empty for a task without a guess.
    """
    if not _scorable(answers):
        return {metric.name: None for metric in task.metrics}
    if task.guess is not None:
        if len(questions) != len(answers):
            return {metric.name: None for metric in task.metrics}
        guessed = [replace(a, choice=task.guess(q)) for q, a in zip(questions, answers)]
        return {metric.name: metric.compute(guessed) for metric in task.metrics}
    options = []
    for k in range(max(max(a.gold) for a in answers) + 1):
        constant = [replace(a, choice=k) for a in answers]
        options.append({metric.name: metric.compute(constant) for metric in task.metrics})
    first = task.metrics[0].name
    return max(options, key=lambda values: -1.0 if values[first] is None else values[first])
