"""Perplexity, bits per byte and last-word accuracy, from the sums in answers' `values`.

    nll      negative log-likelihood of the scored tokens, in nats
    tokens   how many tokens were scored
    bytes    UTF-8 bytes of the document's text
    exact    1 where every token of the target was the model's first choice, else 0

Perplexity is taken over exactly the tokens scored. The GLM code divides by all tokens of all
documents less one, although each document's first token is never scored; `reference=True` does so.
"""

import math
from collections.abc import Sequence

from tasks.errors import Absent
from tasks.spec import Answer, Metric
from tasks.sums import Rows, ones

Answers = Sequence[Answer]


def nats(answers: Answers, *, extra: int = 0) -> Rows:
    """(nats, scored tokens and `extra` more); `Absent` where exp of their mean is no float."""
    sums, tokens = values(answers, "nll"), values(answers, "tokens")
    count = math.fsum(tokens) + max(0, extra * len(answers) - extra)
    if not count:
        raise Absent("no token was scored")
    if (
        math.fsum(sums) / count > 700
    ):  # the largest exponent that a float's exponential holds is 709
        raise Absent(f"the perplexity overflows: {math.fsum(sums) / count:g} nats per token")
    return [(nll, number + extra) for nll, number in zip(sums, tokens)]


def reference_nats(answers: Answers) -> Rows:
    """(nats, all tokens); the combination takes one off, as the GLM code does."""
    return nats(answers, extra=1)


def bits(answers: Answers) -> Rows:
    """(bits, UTF-8 bytes): comparable across tokenizers."""
    sums, sizes = values(answers, "nll"), values(answers, "bytes")
    if not math.fsum(sizes):
        raise Absent("no text was scored")
    return [(nll / math.log(2), size) for nll, size in zip(sums, sizes)]


def exact(answers: Answers) -> Rows:
    """(1 if the target was right token by token, by teacher forcing, 1)."""
    return ones(values(answers, "exact"))


def values(answers: Answers, name: str) -> list[float]:
    """A value of every answer; raises `Absent` where one has none or it is not finite."""
    found = [answer.values.get(name, math.nan) for answer in answers]
    for answer, value in zip(answers, found):
        if not math.isfinite(value):
            raise Absent(f"{name} of {answer.id} is {value}")
    return found


PPL = Metric(
    "ppl",
    "ppl|per:scored-token|version:1",
    nats,
    "perplexity",
    unit="ppl",
    higher_is_better=False,
)
REFERENCE_PPL = Metric(
    "ppl",
    "ppl|per:all-tokens-less-one|version:1",
    reference_nats,
    "perplexity-less-one",
    unit="ppl",
    higher_is_better=False,
)
BPB = Metric("bpb", "bpb|utf-8-bytes|version:1", bits, unit="bits", higher_is_better=False)
EXACT = Metric("acc", "acc|teacher-forced|all-tokens|version:1", exact)
