"""ROUGE-1, -2 and -L F1 of generated texts, by the `rouge-score` package.

Two profiles, never to be mixed in one column:

    default   stemmed; ROUGE-L over sentences (rougeLsum), split at line ends, else by rule
    unilm     the older pipeline as GLM's training loop reports it: word pieces repaired into PTB
              tokens first, sentences of a prediction dropped that are short or repeat earlier ones

The original has two faults, which are switches here and off by default: it hands prediction and
reference over in the wrong order (`swap`; ROUGE-L of summaries is not symmetric) and it drops
every sentence of at most four words, which loses whole Gigaword headlines (`shortest=5`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from tasks.errors import Absent
from tasks.generation.text_repair import REPAIRS, sentences
from tasks.spec import Answer, Metric
from tasks.sums import Rows, ones

TYPES = {"rg1": "rouge1", "rg2": "rouge2", "rgl": "rougeLsum"}


@dataclass(frozen=True)
class Cleaning:
    """What happens to texts before n-grams are counted. The defaults do nothing."""

    repair: str = (
        ""  # a profile of `text_repair.REPAIRS`, applied to both sides, sentence by sentence
    )
    shortest: int = 0  # words; a prediction's shorter sentences are dropped
    repeated: float = 1.0  # a prediction's sentence is dropped if more of its words came before
    longest: int = 0  # words of a prediction that count; 0: all of them
    swap: bool = False  # score the reference against the prediction

    @property
    def signature(self) -> str:
        parts = [
            f"repair:{self.repair or 'none'}",
            f"shortest:{self.shortest}" if self.shortest else "",
            f"repeated:{self.repeated:g}" if self.repeated < 1 else "",
            f"longest:{self.longest}" if self.longest else "",
            "swapped" if self.swap else "",
        ]
        return "|".join(part for part in parts if part)


PLAIN = Cleaning()
UNILM = Cleaning(repair="cnndm", repeated=0.7)
REFERENCE = Cleaning(repair="cnndm", repeated=0.7, shortest=5, swap=True)


def installed(package: str) -> str:
    """The version of a metric's package for its signature; asking about tasks does not need it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def rouge(kind: str, cleaning: Cleaning = PLAIN) -> Metric:
    """The metric ("rg1", "rg2" or "rgl"): mean F1 over answers, best reference each."""
    split = "|split:lines-or-rule" if kind == "rgl" else ""
    return Metric(
        name=kind,
        statistics=partial(best_f1, kind=kind, cleaning=cleaning),
        signature=f"{TYPES[kind]}|f1|stem:yes{split}|{cleaning.signature}"
        f"|version:rouge-score-{installed('rouge-score')}",
    )


def rouges(cleaning: Cleaning = PLAIN) -> tuple[Metric, ...]:
    """ROUGE-1, -2 and -L with one cleaning."""
    return tuple(rouge(kind, cleaning) for kind in TYPES)


def best_f1(answers: Sequence[Answer], *, kind: str, cleaning: Cleaning = PLAIN) -> Rows:
    """(the best F1 against any reference, 1); `Absent` where there is no text or no reference."""
    scorer = _scorer(TYPES[kind])
    found = []
    for answer in answers:
        text, references = written(answer)
        prediction = clean(text, cleaning, predicted=True)
        best = 0.0
        for reference in references:
            pair = (clean(reference, cleaning, predicted=False), prediction)
            target, guess = reversed(pair) if cleaning.swap else pair
            best = max(best, scorer.score(target, guess)[TYPES[kind]].fmeasure)
        found.append(best)
    return ones(found)


def written(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """An answer's text and references; raises `Absent` where there is nothing to compare."""
    if answer.text is None:
        raise Absent(f"no text was generated for {answer.id}")
    if not answer.references:
        raise Absent(f"no reference for {answer.id}")
    return answer.text, answer.references


def clean(text: str, cleaning: Cleaning, *, predicted: bool) -> str:
    """A text as the scorer takes it: cleaned, one sentence a line."""
    repair = REPAIRS[cleaning.repair]
    lines = [repair(sentence) for sentence in sentences(text)]
    if not predicted:
        return "\n".join(lines)
    kept: list[str] = []
    seen: set[str] = set()
    left = cleaning.longest or len(text)
    for line in lines:
        words = line.split()
        unique = set(words)
        if len(words) < cleaning.shortest or not words:
            continue
        if len(unique & seen) > cleaning.repeated * len(unique):
            continue
        kept.append(" ".join(words[:left]))
        seen |= unique
        left -= min(left, len(words))
        if not left:
            break
    return "\n".join(kept)


def _scorer(kind: str):
    """A `rouge-score` scorer whose words are stemmed once each, not once per occurrence."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], tokenizer=_Stemmed())


class _Stemmed:
    """The stemming tokenizer of `rouge-score`, with a memory of the words it has stemmed.

    The package's own functions do the work: lower case, letters and digits only, Porter stems of
    words longer than three letters.
    """

    def __init__(self):
        from nltk.stem import porter
        from rouge_score import tokenize

        self._plain = tokenize.tokenize
        self._stem = porter.PorterStemmer().stem
        self._stems: dict[str, str] = {}

    def tokenize(self, text: str) -> list[str]:
        stems = self._stems
        words = self._plain(text, None)
        for word in words:
            if word not in stems:
                stems[word] = self._stem(word) if len(word) > 3 else word
        return [stems[word] for word in words]


# The ways to measure beside a task's own: see the module's docstring.
PROFILES = {"unilm": rouges(UNILM), "reference": rouges(REFERENCE)}
