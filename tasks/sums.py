"""How sums over examples become the value of a metric.

Every metric is a function of sums: an example adds a row of numbers (right or not, and one that was
asked), and a *combination* turns the summed row into the value. Values can so be recomputed for any
set of examples, which is what an interval over examples needs. Combinations go by a name, which
`scores.json` keeps beside the rows in `items.parquet`.

    sums_*K   summed rows, the K numbers of a metric in the last axis; any axes before it
    values_*  the metric's value for each, NaN where it is not defined
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

Rows = Sequence[tuple[float, ...]]  # one per example, all of one length


def total(rows: Rows) -> list[float]:
    """The sum of each column, correctly rounded, so that no order of the rows changes a value."""
    return [math.fsum(column) for column in zip(*rows, strict=True)]


def ratio(sums_K: "ArrayLike") -> "np.ndarray":
    """(sum, how many): the mean of a quantity, such as the share of right answers."""
    top, below = (_array(sums_K)[..., index] for index in (0, 1))
    return _divided(top, below)


def f1(sums_K: "ArrayLike") -> "np.ndarray":
    """(hits, chosen, gold) of one class: the harmonic mean of precision and recall."""
    hits, chosen, gold = (_array(sums_K)[..., index] for index in (0, 1, 2))
    return _divided(2 * hits, chosen + gold)


def macro_f1(sums_K: "ArrayLike") -> "np.ndarray":
    """(hits, chosen, gold) of class 0, of class 1, ...: mean F1 of those chosen or gold."""
    import numpy as np

    sums_K = _array(sums_K)
    sums_C3 = sums_K.reshape(*sums_K.shape[:-1], -1, 3)
    f1_C = f1(sums_C3)
    seen_C = ~np.isnan(f1_C)
    return _divided(np.where(seen_C, f1_C, 0.0).sum(-1), seen_C.sum(-1))


def perplexity(sums_K: "ArrayLike", less: int = 0) -> "np.ndarray":
    """(nats, tokens): exp of the nats a token, over all tokens less `less`."""
    import numpy as np

    nats, tokens = (_array(sums_K)[..., index] for index in (0, 1))
    with np.errstate(over="ignore"):
        return np.exp(_divided(nats, tokens - less))


def bleu(sums_K: "ArrayLike", smooth: bool = False) -> "np.ndarray":
    """(length, reference length, matches of 1 to 4 words, n-grams of 1 to 4 words): corpus BLEU.

    In 0..1, as `sacrebleu` computes it without effective order. `smooth` halves once more for each
    order without a match ("exp" there); else any such order makes the value 0.
    """
    import numpy as np

    sums_K = _array(sums_K)
    length, reference = sums_K[..., 0], sums_K[..., 1]
    right_4, all_4 = sums_K[..., 2:6], sums_K[..., 6:10]
    none_4 = right_4 == 0
    if smooth:
        right_4 = np.where(none_4, 0.5 ** np.cumsum(none_4, -1), right_4)
    precision_4 = _divided(right_4, all_4)
    defined = (all_4 > 0).all(-1) & (~none_4.all(-1) if smooth else ~none_4.any(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(precision_4).mean(-1))
        brevity = np.where(length < reference, np.exp(1 - _divided(reference, length)), 1.0)
    return np.where(defined, mean * brevity, 0.0)


COMBINATIONS: dict[str, Callable[["ArrayLike"], "np.ndarray"]] = {
    "ratio": ratio,
    "f1": f1,
    "macro-f1": macro_f1,
    "perplexity": perplexity,
    "perplexity-less-one": partial(perplexity, less=1),
    "bleu": bleu,
    "bleu-smoothed": partial(bleu, smooth=True),
}


def ones(values: Iterable[float]) -> Rows:
    """The rows of a plain mean: (value, 1)."""
    return [(float(value), 1.0) for value in values]


def _array(values: "ArrayLike") -> "np.ndarray":
    import numpy as np

    return np.asarray(values, dtype=float)


def _divided(top: "np.ndarray", below: "np.ndarray") -> "np.ndarray":
    """The quotient, NaN where the divisor is not above zero."""
    import numpy as np

    known = np.asarray(below) > 0
    return np.where(known, top / np.where(known, below, 1.0), np.nan)
