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
from functools import partial

from tasks.errors import Absent
from tasks.spec import Answer, Metric


def perplexity(answers: Sequence[Answer], *, reference: bool = False) -> float | None:
    """exp(nats per token) over all answers; None without answers."""
    if not answers:
        return None
    nll, tokens = total(answers, "nll"), total(answers, "tokens")
    divisor = tokens + len(answers) - 1 if reference else tokens
    if not divisor:
        raise Absent("no token was scored")
    if nll / divisor > 700:  # the largest exponent that a float's exponential holds is 709
        raise Absent(f"the perplexity overflows: {nll / divisor:g} nats per token")
    return math.exp(nll / divisor)


def bits_per_byte(answers: Sequence[Answer]) -> float | None:
    """Bits per UTF-8 byte over all answers, comparable across tokenizers; None without answers."""
    if not answers:
        return None
    size = total(answers, "bytes")
    if not size:
        raise Absent("no text was scored")
    return total(answers, "nll") / math.log(2) / size


def exact_match(answers: Sequence[Answer]) -> float | None:
    """Share of answers whose target was right token by token, by teacher forcing."""
    return total(answers, "exact") / len(answers) if answers else None


def total(answers: Sequence[Answer], name: str) -> float:
    """The sum of a value over answers; raises `Absent` where one has none or it is not finite."""
    values = [answer.values.get(name, math.nan) for answer in answers]
    for answer, value in zip(answers, values):
        if not math.isfinite(value):
            raise Absent(f"{name} of {answer.id} is {value}")
    return math.fsum(values)


PPL = Metric(
    "ppl", perplexity, "ppl|per:scored-token|version:1", unit="ppl", higher_is_better=False
)
REFERENCE_PPL = Metric(
    "ppl",
    partial(perplexity, reference=True),
    "ppl|per:all-tokens-less-one|version:1",
    unit="ppl",
    higher_is_better=False,
)
BPB = Metric("bpb", bits_per_byte, "bpb|utf-8-bytes|version:1", unit="bits", higher_is_better=False)
EXACT = Metric("acc", exact_match, "acc|teacher-forced|all-tokens|version:1")
