"""The claims' verdicts as a list: Markdown, cells for a page, and data for a program."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from results import claims, escapes, statistics, wording
from results.claims import Verdict
from results.statistics import Difference
from results.tables import Line, Table

HEADS = ("Table", "Claim", "Verdict", "Difference", "Detectable", "p", "Runs", "In print", "Why")


def reading(verdicts: Sequence[Verdict]) -> str:
    """How to read the list: the family, the correction, the estimand."""
    size = sum(verdict.tested for verdict in verdicts)
    tested = _tested(verdicts)
    found = {v.difference.estimand for v in verdicts if v.difference and v.difference.error}
    over = " or ".join(sorted(found)) or statistics.TEXTS
    return (
        "A difference in favour of the claim is positive, in points or in percent of a "
        f"perplexity; its 95% interval is for {over} and other seeds. Detectable: the true "
        f"difference that would be found with 80% power. One family of {size} claims, {tested} of "
        "them tested; p is after Holm's correction, and verdicts are counted after it. "
        "Equivalent: within 2 points, or 2% of a perplexity."
    )


def _tested(verdicts: Sequence[Verdict]) -> int:
    """How many claims of the family had a p-value."""
    return sum(verdict.p_holm is not None and not verdict.repeats for verdict in verdicts)


def told(verdicts: Sequence[Verdict]) -> str:
    """ "2 supported, 1 reversed, ..." of the verdicts that occur."""
    counted = claims.counts(verdicts).items()
    return ", ".join(f"{count} {word}" for word, count in counted if count) or "no claim"


def headline(verdicts: Sequence[Verdict]) -> str:
    """What was learned, in one line: the verdicts after the correction, of how many claims."""
    if not verdicts:
        return ""
    asked = [verdict for verdict in verdicts if verdict.verdict != "not comparable"]
    counted = sum(verdict.tested for verdict in asked)
    rest = len(verdicts) - len(asked)
    more = f"; {rest} more are not comparable" if rest else ""
    if not asked:
        return f"None of the paper's {rest} claims is comparable with these runs"
    return f"{told(asked)}, of {counted} claims of the paper, after Holm's correction{more}"


def controls(tables: Sequence[Table]) -> list[str]:
    """What the rows that control a table have shown, a sentence each."""
    found = []
    for table in tables:
        reference = next((line.label for line in table.lines if line.id == table.reference), "")
        for line in table.lines:
            if line.control:
                said = _control(line, reference)
                found.append(f"{wording.name(table.id)}, {line.label}: {said}")
    return found


def _control(line: Line, reference: str) -> str:
    entries = [entry for entries in line.cells.values() for entry in entries]
    asked = [entry for entry in entries if entry.p is not None and not entry.untestable]
    apart = [entry for entry in asked if entry.marked]
    if not any(entry.runs for entry in entries):
        return "not run yet"
    if not asked:
        return f"not testable against {reference} anywhere, so it tells nothing"
    share = f"{len(apart)} of {len(asked)} testable numbers"
    if line.control == "aa":
        word = "not silent, which chance allows in one grid of twenty" if apart else "silent"
        return f"{word}: it differs from {reference} in {share}"
    worse = sum(not entry.better for entry in apart)
    if worse:
        return f"found: it is worse than {reference} in {worse} of {len(asked)} testable numbers"
    return f"not found in {len(asked)} testable numbers: a difference like this would go unseen"


def markdown(verdicts: Sequence[Verdict], place: str = "") -> str:
    """The list as a Markdown table; a recalled number of the paper's is marked as one.

    `place` says on what and at what scale the claims were asked.
    """
    asked = f"Asked of runs on {escapes.markdown(place)}.\n\n" if place else ""
    rows = [f"| {' | '.join(HEADS)} |", "|" + "---|" * len(HEADS)]
    for verdict in verdicts:
        shown = [escapes.markdown(cell, brackets=True) for cell in cells(verdict)]
        rows.append(f"| {' | '.join(shown)} |")
    return (
        f"### The paper's claims: {told(verdicts)}\n\n{asked}{reading(verdicts)}\n\n"
        + "\n".join(rows)
        + "\n"
    )


def cells(verdict: Verdict) -> list[str]:
    """A verdict's row, under HEADS."""
    found = verdict.difference
    return [
        wording.name(verdict.claim.table),
        verdict.claim.text,
        verdict.verdict,
        difference(found, verdict.unit),
        detectable(found, verdict.unit),
        "–" if verdict.p_holm is None else p_value(verdict.p_holm),
        "–" if found is None else f"{found.n[0]} v {found.n[1]}",
        in_print(verdict),
        why(verdict),
    ]


def difference(found: Difference | None, unit: str) -> str:
    """ "+5.0 [+1.2, +8.8]", with as many digits as the interval bears, if there is one."""
    if found is None:
        return "–"
    sign = "%" if unit == "ppl" else ""
    mean, low, high = (
        None if value is None else claims.shown_scale(unit, value)
        for value in (found.mean, found.low, found.high)
    )
    assert mean is not None
    if low is None or high is None:
        return f"{wording.signed(mean, None)}{sign}"
    half = (high - low) / 2
    ends = f"[{wording.signed(low, half)}, {wording.signed(high, half)}]"
    return f"{wording.signed(mean, half)}{sign} {ends}"


def detectable(found: Difference | None, unit: str) -> str:
    """The detectable difference, in the units of the difference."""
    if found is None or found.detectable is None:
        return "–"
    value = claims.shown_scale(unit, found.detectable)
    return f"{wording.number(value, value)}{'%' if unit == 'ppl' else ''}"


def p_value(p: float) -> str:
    """Three decimals, or that it is smaller."""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def in_print(verdict: Verdict) -> str:
    """The paper's own difference, marked where a number behind it is only recalled."""
    if verdict.printed is None:
        return "–"
    unit = " of perplexity" if verdict.claim.columns[0].endswith(".ppl") else ""
    text = wording.signed(verdict.printed) + unit
    return f"paper {text}" if verdict.printed_status == "confirmed" else f"recalled ≈{text}ʳ"


def why(verdict: Verdict) -> str:
    """The verdict's reason, what lost runs could change, and the second budget."""
    said = [verdict.reason, worst(verdict), verdict.budget]
    return "; ".join(filter(None, said))


def worst(verdict: Verdict) -> str:
    """What the verdict would rest on if the lost runs had gone as badly as they could."""
    if not any(verdict.lost) or verdict.worst is None:
        return ""
    runs = f"{verdict.lost[0]} and {verdict.lost[1]} runs without a number"
    return f"{runs}: at worst {difference(replace(verdict.worst, error=None), verdict.unit)}"


def as_data(verdicts: Sequence[Verdict], facts: Mapping[str, str]) -> dict[str, Any]:
    """What claims.json holds; `facts` say what was run."""
    return {
        "facts": dict(facts),
        "family": {
            "size": sum(verdict.tested for verdict in verdicts),
            "correction": "holm",
            "level": statistics.LEVEL,
            "margins": dict(claims.MARGINS),
            "counts": dict(claims.counts(verdicts)),
            "tested": _tested(verdicts),
        },
        "headline": headline(verdicts),
        "claims": [_data(verdict) for verdict in verdicts],
    }


def _data(verdict: Verdict) -> Mapping[str, Any]:
    claim, found = verdict.claim, verdict.difference
    return {
        "id": claim.id,
        "table": claim.table,
        "text": claim.text,
        "over": claim.over,
        "under": claim.under,
        "columns": list(claim.columns),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "unit": "log perplexity" if verdict.unit == "ppl" else "points",
        "estimand": found.estimand if found and found.error else None,
        "difference": numbers(found),
        "p": verdict.p,
        "p_holm": verdict.p_holm,
        "equivalence_p": verdict.equivalence_p,
        "equivalence_p_holm": verdict.equivalence_holm,
        "gates": {"open": list(verdict.columns), "closed": dict(verdict.closed or {})},
        "lost_runs": {"over": verdict.lost[0], "under": verdict.lost[1]},
        "worst_case": numbers(verdict.worst),
        "budget": verdict.budget or None,
        "repeats": verdict.repeats or None,
        "printed": {"difference": verdict.printed, "status": verdict.printed_status or None},
    }


def numbers(found: Difference | None) -> dict[str, Any] | None:
    """A difference with both intervals and its parts."""
    if found is None:
        return None
    error, fixed = found.error, found.fixed
    return {
        "mean": found.mean,
        "pretrainings": list(found.n),
        "interval": [found.low, found.high] if error else None,
        "interval_this_test_set": [fixed.low, fixed.high] if error else None,
        "detectable": found.detectable,
        "variance": {"seeds": error.seeds, "examples": error.examples} if error else None,
    }
