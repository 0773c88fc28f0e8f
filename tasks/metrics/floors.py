"""Floors: what is reached without understanding a question, computed from the column's own rows.

A system that does not stand above all of them has shown nothing that a comparison could be about.
`FLOORS` says in words how each is computed. Those that need a model (a blind control, an n-gram
language model) are computed elsewhere and go by the names given here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tasks.errors import Absent
from tasks.generation.text_repair import sentences
from tasks.metrics.choices import scorable
from tasks.spec import Answer, Generate, Metric, Part, Question, Task

FLOORS: Mapping[str, str] = {
    "uniform": "guessing uniformly",
    "constant": "the best constant answer",
    "most-named": "the candidate that the passage names most often",
    "least-named": "the candidate that the passage names least often",
    "lead": "copying the first sentence of the source",
    "shuffled": "the same outputs against the references of other questions",
    "blind": "the reference row finetuned on inputs that do not fit their answers",
    "unigram": "a unigram model of the pretraining text",
    "5-gram": "an interpolated 5-gram model of the pretraining text",
}
CONSTANTS = 8  # outputs that are tried everywhere, for generation
SAMPLE = 64  # questions on which they are tried first

Floors = dict[str, dict[str, float]]  # metric -> floor -> value


def floors(
    task: Task,
    metrics: Sequence[Metric],
    questions: Sequence[Question],
    answers: Sequence[Answer],
    training: Iterable[Question] = (),
) -> Floors:
    """Every floor that needs only questions and answers: metric -> name -> value, as computed.

    `questions` are those of `answers`, in order; they may be empty, and then what needs them is
    left out. `training` gives constant outputs of generation; without it references do.
    """
    written = [question for question in questions if isinstance(question, Generate)]
    found: Floors = {}
    for metric in metrics:
        if metric.statistics is None:
            continue
        if scorable(answers):
            ways = _choices(task, metric, questions, answers)
        elif written and len(written) == len(answers):
            ways = _texts(metric, written, answers, training)
        else:
            ways = {}
        found[metric.name] = {name: value for name, value in ways.items() if value is not None}
    return found


# ---- choices


def _choices(
    task: Task, metric: Metric, questions: Sequence[Question], answers: Sequence[Answer]
) -> dict[str, float | None]:
    """Uniform guessing, and the best constant answer or the task's own guesses."""
    ways = {"uniform": uniform(metric, answers)}
    if not task.guesses:
        always = (metric.compute(_chosen(answers, k)) for k in range(_labels(answers)))
        return ways | {"constant": max((v for v in always if v is not None), default=None)}
    if len(questions) == len(answers):
        for name, guess in task.guesses.items():
            guessed = [replace(a, choice=guess(q)) for q, a in zip(questions, answers)]
            ways[name] = metric.compute(guessed)
    return ways


def uniform(metric: Metric, answers: Sequence[Answer]) -> float | None:
    """The value of the rows that uniform guessing is expected to give.

    Exact for a mean over examples; for F1, whose value is no mean, the first-order value.
    """
    if metric.guessed is not None:
        return metric.value(metric.guessed(answers))
    labels = _labels(answers)
    counts = [n if (n := len(a.candidates)) > 1 else labels for a in answers]
    every = [replace(a, choice=k) for a, count in zip(answers, counts) for k in range(count)]
    rows = metric.statistics(every) if metric.statistics else None
    if rows is None:
        return None
    shares = [1 / count for count in counts for _ in range(count)]
    return metric.value([tuple(x * share for x in row) for row, share in zip(rows, shares)])


def commonest(answers: Sequence[Answer]) -> dict[str, object] | None:
    """The answer that is given most often, and its share of all; None where nothing was chosen.

    A choice counts by its words and by its place among the candidates, whichever repeats more.
    """
    if not answers:
        return None
    counts: Counter[str] = Counter()
    for a in answers:
        if a.choice is not None:
            # "0" and the words of candidate 0 may be one string, so places are written apart.
            counts[f"choice {a.choice}"] += 1
            if a.choice < len(a.candidates):
                counts[a.candidates[a.choice]] += 1
        elif a.text is not None:
            counts[a.text] += 1
    if not counts:
        return None
    answer, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    return {"answer": answer, "share": count / len(answers)}


def _labels(answers: Sequence[Answer]) -> int:
    return 1 + max(max(a.gold) for a in answers)


def _chosen(answers: Sequence[Answer], k: int) -> list[Answer]:
    return [replace(a, choice=k) for a in answers]


# ---- texts


def _texts(
    metric: Metric,
    questions: Sequence[Generate],
    answers: Sequence[Answer],
    training: Iterable[Question],
) -> dict[str, float | None]:
    """The best constant output, the source's first sentence, and outputs of other questions."""
    try:
        ways: dict[str, float | None] = {
            "constant": _constant(metric, questions, answers, training)
        }
        if not any(question.template for question in questions):
            lead = [replace(a, text=_lead(q)) for q, a in zip(questions, answers)]
            ways["lead"] = metric.compute(lead)
        if len(answers) > 1:
            half = len(answers) // 2
            others = [*answers[half:], *answers[:half]]
            mixed = [replace(a, references=b.references) for a, b in zip(answers, others)]
            ways["shuffled"] = metric.compute(mixed)
    except Absent:
        return {}
    return ways


def _constant(
    metric: Metric,
    questions: Sequence[Generate],
    answers: Sequence[Answer],
    training: Iterable[Question],
) -> float | None:
    """The best of a few constant outputs, chosen on the first questions, on all of them.

    With a template it is one text for every blank.
    """
    known = [t for q in training if isinstance(q, Generate) for t in q.targets]
    known = known or [text for question in questions for text in question.targets]

    def always(text: str, count: int) -> float:
        pairs = zip(questions[:count], answers[:count])
        said = [replace(a, text=_filled(q, text)) for q, a in pairs]
        return metric.compute(said) or 0.0

    options = _typical(known)
    if not options:
        return None
    return always(max(options, key=lambda text: always(text, SAMPLE)), len(answers))


def _filled(question: Generate, text: str) -> str:
    if not question.template:
        return text
    return question.template.format(*[text] * len(question.targets))


def _typical(texts: Sequence[str]) -> list[str]:
    """The commonest texts, and those whose words occur in the most texts."""
    counts = Counter(texts)
    common = [text for text, _ in counts.most_common(CONSTANTS // 2)]
    holding = Counter(word for text in counts for word in set(text.split()))

    def reach(text: str) -> float:
        words = set(text.split())
        return sum(holding[word] for word in words) / len(words) if words else 0.0

    return list(dict.fromkeys([*common, *sorted(counts, key=reach)[-CONSTANTS // 2 :]]))


def _lead(question: Generate) -> str:
    """The first sentence of the longest piece of the question's text."""
    pieces = [part.text for part in question.text if isinstance(part, Part)]
    return next(iter(sentences(max(pieces, key=len, default=""))), "")
