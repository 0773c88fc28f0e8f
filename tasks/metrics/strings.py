"""Metrics that compare the chosen candidate with reference strings: ReCoRD's F1 and exact match."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from tasks.errors import Absent
from tasks.spec import Answer, Metric
from tasks.sums import Rows, ones

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
    compare: Callable[[str, str], float],
    normalise: Callable[[str], str],
    answers: Sequence[Answer],
) -> Rows | None:
    """(the best comparison of the chosen candidate with a reference, 1)."""
    if any(a.choice is None or not a.references for a in answers):
        return None
    return ones(
        max(compare(normalise(a.candidates[a.choice]), normalise(r)) for r in a.references)
        for a in answers
        if a.choice is not None
    )


def _record(normalise: Callable[[str], str], name: str) -> tuple[Metric, Metric]:
    after = f"normalisation:{name}|references:max|version:1"
    return (
        Metric("f1", f"f1|tokens|{after}", partial(best_reference, token_f1, normalise)),
        Metric("acc", f"acc|exact-match|{after}", partial(best_reference, exact_match, normalise)),
    )


# ReCoRD's exact match goes by the name that the paper's tables give it: Acc.
RECORD = _record(normalised, "squad")
RECORD_ASCII = _record(ascii_normalised, "squad+unidecode")
