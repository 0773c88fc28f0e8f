"""Answers -> numbers, each a function of sums over examples and with a signature.

A number that cannot be computed (no answers, an unlabelled or unanswered question) is None.
`tasks.generation` and `tasks.language` have the metrics of text and of likelihood.
"""

from tasks.metrics.choices import ACCURACY, EXACT_GROUPS, F1A, MACRO_F1, TWINS
from tasks.metrics.strings import RECORD, RECORD_ASCII

__all__ = ["ACCURACY", "EXACT_GROUPS", "F1A", "MACRO_F1", "RECORD", "RECORD_ASCII", "TWINS"]
