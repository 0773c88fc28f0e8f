"""The paper's claims, each asked of our own numbers: supported, contradicted or undecided.

A claim is "system A is better than system B on the mean of some columns". It is answered by the
paired difference over seeds: supported if its 95% interval lies on the paper's side of zero,
contradicted if on the other, undecided otherwise, with the reason. One seed decides nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from results import escapes, paper, statistics, wording
from results.cells import Entry, Seeds, contrast
from results.paper import Claim
from results.statistics import Difference
from results.tables import Line, Table

READING = "A difference in favour of the claim is positive; its 95% interval is paired, over seeds."


@dataclass(frozen=True)
class Verdict:
    """What our runs say to a claim. `difference` is in favour of the claim where positive.

    `holm` says whether the verdict also holds after Holm's correction over all the claims asked;
    `printed` is the same difference in the paper's numbers, and `printed_status` the weaker status
    of the two sides ("" where the paper has no such numbers).
    """

    claim: Claim
    verdict: str
    reason: str
    difference: Difference | None = None
    holm: bool = False
    printed: float | None = None
    printed_status: str = ""


def check(tables: Sequence[Table]) -> list[Verdict]:
    """Every claim about one of these tables, in the order of the paper's tables."""
    by_id = {table.id: table for table in tables}
    found = [_judge(claim, by_id[claim.table]) for claim in paper.claims() if claim.table in by_id]
    tested = [i for i, v in enumerate(found) if v.difference and v.difference.p is not None]
    p_values = [found[i].difference.p or 0.0 for i in tested]  # pyright: ignore
    for index, p in zip(tested, statistics.holm(p_values)):
        kept = found[index].verdict != "undecided" and p <= 1 - statistics.LEVEL
        found[index] = replace(found[index], holm=kept)
    return found


def _judge(claim: Claim, table: Table) -> Verdict:
    printed, status = _printed(claim)
    beside = {"printed": printed, "printed_status": status}
    lines = {line.paper: line for line in table.lines if line.paper}
    sides: list[dict[Seeds, float]] = []
    for side in (claim.over, claim.under):
        line = lines.get(side)
        if line is None or line.kind == "not run":
            return Verdict(claim, "undecided", f"{side} was not run here", **beside)
        entries = _entries(line, claim)
        if not entries or not all(entry.runs for entry in entries):
            return Verdict(claim, "undecided", f"{side} lacks a number in these columns", **beside)
        sides.append(_mean(entries))
    difference = contrast(sides[0], sides[1])
    if difference is None:
        return Verdict(claim, "undecided", "the two systems share no seed", **beside)
    if difference.sign:
        verdict = "supported" if difference.sign > 0 else "contradicted"
        return Verdict(claim, verdict, "the interval excludes zero", difference, **beside)
    reason = "the interval includes zero"
    if difference.n < 2:
        reason = "one seed has no interval"
    elif difference.low is None:
        reason = "the seeds do not differ, so there is no interval"
    return Verdict(claim, "undecided", reason, difference, **beside)


def _entries(line: Line, claim: Claim) -> list[Entry]:
    """The entries that a claim names; none if a column is missing."""
    found = []
    for column in claim.columns:
        id, _, metric = column.partition(".")
        entries = [e for e in line.cells.get(id, ()) if metric in ("", e.metric)]
        if not entries:
            return []
        found += entries
    return found


def _mean(entries: Sequence[Entry]) -> dict[Seeds, float]:
    """Seed by seed, the mean of the entries, with the sign turned where lower is better."""
    shared = [seeds for seeds in entries[0].runs if all(seeds in e.runs for e in entries)]
    return {
        seeds: math.fsum(e.runs[seeds] if e.higher_is_better else -e.runs[seeds] for e in entries)
        / len(entries)
        for seeds in shared
    }


def _printed(claim: Claim) -> tuple[float | None, str]:
    """The difference in the paper's own numbers, in favour of the claim, and its weaker status."""
    table = paper.table(claim.table)
    assert table is not None
    sides, statuses = [], set()
    for side in (claim.over, claim.under):
        values = []
        for column in claim.columns:
            id, _, metric = column.partition(".")
            for name in [metric] if metric else table.columns[id]:
                number = table.rows[side].values.get((id, name))
                if number is None or number.value is None:
                    return None, ""
                statuses.add(number.status)
                values.append(-number.value if name == "ppl" else number.value)
        sides.append(math.fsum(values) / len(values))
    return sides[0] - sides[1], "recalled" if "recalled" in statuses else "confirmed"


def markdown(verdicts: Sequence[Verdict]) -> str:
    """The checklist as a Markdown table; a recalled number of the paper's is marked as one."""
    told = ", ".join(f"{count} {word}" for word, count in counts(verdicts).items())
    rows = ["| Table | Claim | Our runs | Difference | Seeds | In print | Why |", "|" + "---|" * 7]
    for verdict in verdicts:
        found = verdict.difference
        cells = [
            wording.name(verdict.claim.table),
            verdict.claim.text,
            verdict.verdict,
            shown(found),
        ]
        cells += ["–" if found is None else str(found.n), in_print(verdict), why(verdict)]
        rows.append(f"| {' | '.join(escapes.markdown(cell, brackets=True) for cell in cells)} |")
    return f"### The paper's claims: {told}\n\n{READING}\n\n" + "\n".join(rows) + "\n"


def shown(difference: Difference | None) -> str:
    """ "+5.00 [+1.20, +8.80]", without the interval where there is none."""
    if difference is None:
        return "–"
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.2f}"
    return f"{difference.mean:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]"


def in_print(verdict: Verdict) -> str:
    """The paper's own difference, marked where a number behind it is only recalled."""
    if verdict.printed is None:
        return "–"
    text = f"{verdict.printed:+.1f}"
    return f"paper {text}" if verdict.printed_status == "confirmed" else f"recalled ≈{text}ʳ"


def why(verdict: Verdict) -> str:
    """The verdict's reason, and whether it outlives the correction for many claims."""
    return verdict.reason + (", also after Holm's correction" if verdict.holm else "")


def counts(verdicts: Sequence[Verdict]) -> Mapping[str, int]:
    """How many claims are supported, contradicted and undecided."""
    words = ("supported", "contradicted", "undecided")
    return {word: sum(verdict.verdict == word for verdict in verdicts) for word in words}
