"""The paper's claims, each asked of our own numbers, as one family of tests.

A claim is "system A is better than system B on the mean of some columns". Its verdict is one of

    supported, reversed   the difference is not zero, after Holm's correction over the family
    equivalent            it lies within the margin, by two one-sided tests, after Holm's likewise
    inconclusive          neither: the detectable difference says what would have been seen
    not testable          the columns tell these systems from nothing, or a number is missing
    not comparable        our systems are not the paper's, or one was not run

The family is declared before anything runs: all claims about the grid's tables whose systems ran.
A claim that the data then close (not testable) keeps its place in the count, since which ones are
closed depends on the same numbers. A pair that two tables repeat is tested once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from results import gates, items, ledger, paper, samples, statistics
from results.cells import Entry, mean_of
from results.ledger import Pretraining
from results.paper import Claim
from results.samples import Sample
from results.statistics import Difference
from results.tables import Line, Table

VERDICTS = (
    *("supported", "reversed", "equivalent", "inconclusive"),
    *("not testable", "not comparable"),
)
# The differences that do not matter, on each unit's scale: 2 points, 2% of a perplexity.
MARGINS: Mapping[str, float] = {"fraction": 2.0, "ppl": math.log(1.02)}
ALPHA = 1 - statistics.LEVEL


@dataclass(frozen=True)
class Verdict:
    """What our runs say to a claim. `difference` is in favour of the claim where positive.

    It is on the unit's scale: points, or for a perplexity its natural logarithm. `p` and
    `equivalence_p` are before Holm's correction, those with `holm` after it, None where not tested.
    """

    claim: Claim
    verdict: str
    reason: str
    difference: Difference | None = None
    unit: str = "fraction"
    columns: tuple[str, ...] = ()  # that the difference is over
    whole: int = 0  # columns of the paper's average, where the table has only some of them
    closed: Mapping[str, str] | None = None  # columns that are not testable, with the reason
    p: float | None = None
    p_holm: float | None = None
    equivalence_p: float | None = None
    equivalence_holm: float | None = None
    lost: tuple[int, int] = (0, 0)  # runs without a number, of `over` and of `under`
    worst: Difference | None = None  # with the lost runs as bad for the leading side as can be
    budget: str = ""
    repeats: str = ""  # the claim that tests the same pair
    printed: float | None = None
    printed_status: str = ""

    @property
    def tested(self) -> bool:
        """Whether the claim has a place in the family."""
        return self.verdict != "not comparable" and not self.repeats


def check(
    tables: Sequence[Table],
    family: Sequence[Claim] | None = None,
    runs: Sequence[Pretraining] = (),
    match: str = "",
) -> list[Verdict]:
    """Every claim of the family about one of these tables, in the family's order.

    `runs` and `match` are the pretrainings and the unit of their equal budget: with them a verdict
    says whether it holds by a second unit too.
    """
    by_id = {table.id: table for table in tables}
    known = [c for c in (paper.claims() if family is None else family) if c.table in by_id]
    found = [_asked(claim, by_id[claim.table]) for claim in known]
    tested = _adjusted(_once(found, by_id))
    found = [_corrected(verdict, tested) for verdict in tested]
    amounts = {run.folder: run.ledger for run in runs}
    return [_budgeted(verdict, by_id[verdict.claim.table], amounts, match) for verdict in found]


# ---- asking


@dataclass(frozen=True)
class _Part:
    """A column of a claim: the metrics of both sides that enter it."""

    id: str
    over: tuple[Entry, ...]
    under: tuple[Entry, ...]

    def closed(self, among: int) -> str:
        """Why the two cannot be compared here, or ""."""
        reasons = [gates.untestable(a, b, among) for a, b in zip(self.over, self.under)]
        return next(filter(None, reasons), "")


def _asked(claim: Claim, table: Table) -> Verdict:
    """The claim's difference, or the reason why it has none; not yet corrected."""
    paper.one_metric(claim)
    whole = _whole(claim, table)
    printed, status = (None, "") if whole else _printed(claim)
    bare = Verdict(claim, "", "", whole=whole, printed=printed, printed_status=status)
    lines = {line.paper: line for line in table.lines if line.paper}
    for side in (claim.over, claim.under):
        if side not in lines or lines[side].kind == "not run":
            return replace(bare, verdict="not comparable", reason=f"{side} was not run here")
    if claim.differs:
        return replace(bare, verdict="not comparable", reason=claim.differs)

    over, under = lines[claim.over], lines[claim.under]
    parts = _parts(claim, table, over, under)
    missing = _missing(claim, parts, over, under)
    if missing:
        return replace(bare, verdict="not testable", reason=missing)
    units = {e.unit for part in parts for e in (*part.over, *part.under)}
    if len(units) > 1:
        raise ValueError(f"claim {claim.id} mixes units: {', '.join(sorted(units))}")
    (unit,) = units
    shut = {part.id: part.closed(len(parts)) for part in parts}
    shut = {id: reason for id, reason in shut.items() if reason}
    kept = [part for part in parts if part.id not in shut]
    bare = replace(bare, unit=unit, closed=shut, columns=tuple(part.id for part in kept))
    if not kept:
        return replace(bare, verdict="not testable", reason=_told(shut))

    sign = 1 if kept[0].over[0].higher_is_better else -1
    sides = [_side(kept, name) for name in ("over", "under")]
    difference = samples.difference(sides[0], sides[1])
    assert difference is not None
    limit = items.LIMITS.get(unit, math.inf)
    difference = replace(difference, mean=sign * difference.mean, limit=limit)
    lost = (_lost(kept, "over"), _lost(kept, "under"))
    worst = _worst(kept, sides, lost, sign, difference.mean) if any(map(len, lost)) else None
    margin = MARGINS.get(unit)
    return replace(
        bare,
        difference=difference,
        p=difference.p,
        equivalence_p=difference.equivalence(margin) if margin else None,
        lost=(len(lost[0]), len(lost[1])),
        worst=worst,
    )


def _whole(claim: Claim, table: Table) -> int:
    """How many columns the paper's average is over, for a claim about it on a part of them."""
    known = paper.table(table.id)
    if claim.columns != ("avg",) or known is None:
        return 0
    return known.whole([column.id for column in table.columns])


def _parts(claim: Claim, table: Table, over: Line, under: Line) -> list[_Part]:
    """The columns that a claim is about; none where one of them is not in the table."""
    if claim.columns == ("avg",):
        wanted = [(c.id, tuple(range(len(c.metrics)))) for c in table.columns if c.id != "avg"]
    else:
        metrics = {column.id: column.metrics for column in table.columns}
        named = [column.partition(".") for column in claim.columns]
        if any(metric not in metrics.get(id, ()) for id, _, metric in named):
            return []
        wanted = [(id, (metrics[id].index(metric),)) for id, _, metric in named]
    return [
        _Part(
            id,
            tuple(over.cells[id][index] for index in indices),
            tuple(under.cells[id][index] for index in indices),
        )
        for id, indices in wanted
    ]


def _missing(claim: Claim, parts: Sequence[_Part], over: Line, under: Line) -> str:
    """The sentence that says which number a claim lacks, or ""."""
    if not parts:
        return f"the table has no column {' or '.join(claim.columns)}"
    for line, side in ((over, "over"), (under, "under")):
        entries = [entry for part in parts for entry in getattr(part, side)]
        empty = next((entry for entry in entries if not entry.runs), None)
        if claim.columns == ("avg",) and not empty:
            average = line.cells.get("avg", (Entry("avg", reason="the table has no average"),))[0]
            empty = None if average.runs else average
        if empty:
            return f"{line.label} lacks a number: {empty.reason}"
    return ""


def _weights(parts: Sequence[_Part]) -> list[float]:
    """A column's metrics count together as one, as in the paper's average."""
    return [1 / len(part.over) / len(parts) for part in parts for _ in part.over]


def _side(parts: Sequence[_Part], side: str) -> Sample:
    return mean_of([e for part in parts for e in getattr(part, side)], _weights(parts))


def _told(shut: Mapping[str, str]) -> str:
    """The one reason, or each kind of reason with its columns; the numbers stand in the data."""
    if len(set(shut.values())) == 1:
        return next(iter(shut.values()))
    kinds: dict[str, list[str]] = {}
    for id, reason in shut.items():
        kinds.setdefault(reason.partition(": ")[0].partition(" (")[0], []).append(id)
    return "; ".join(f"{kind} ({', '.join(ids)})" for kind, ids in kinds.items())


# ---- runs without a number


def _lost(parts: Sequence[_Part], side: str) -> list[samples.Seeds]:
    """The runs of a side that lack a number in any of the columns."""
    entries = [entry for part in parts for entry in getattr(part, side)]
    return list(dict.fromkeys(run for entry in entries for run in entry.lost))


def _worst(
    parts: Sequence[_Part],
    sides: Sequence[Sample],
    lost: Sequence[Sequence[samples.Seeds]],
    sign: int,
    mean: float,
) -> Difference | None:
    """The difference if lost runs of the side that leads had been at the floor (or as bad as its
    worst run), and those of the other side as good as its best."""
    leading = 0 if mean >= 0 else 1
    good, bad = (max, min) if sign > 0 else (min, max)
    filled = []
    for index, (side, runs) in enumerate(zip(sides, lost)):
        if not side.values:
            return None
        value = (bad if index == leading else good)(side.values.values())
        floor = _floor(parts)
        if index == leading and floor is not None:
            value = bad(value, floor)
        filled.append(Sample({**side.values, **dict.fromkeys(runs, value)}))
    found = samples.difference(filled[0], filled[1])
    return replace(found, mean=sign * found.mean) if found else None


def _floor(parts: Sequence[_Part]) -> float | None:
    """The mean of the columns' floors on the unit's scale; None where one has none."""
    entries = [entry for part in parts for entry in part.over]
    known = [entry.floor for entry in entries]
    if not all(known):
        return None
    values = [math.log(f[1]) if e.unit == "ppl" else f[1] for e, f in zip(entries, known) if f]
    return math.fsum(w * value for w, value in zip(_weights(parts), values))


# ---- the family


def _once(found: Sequence[Verdict], tables: Mapping[str, Table]) -> list[Verdict]:
    """The verdicts, each that repeats an earlier pair on the same columns pointing to it."""
    first: dict[tuple, str] = {}
    marked = []
    for verdict in found:
        lines = {line.paper: line for line in tables[verdict.claim.table].lines if line.paper}
        pair = [lines.get(side) for side in (verdict.claim.over, verdict.claim.under)]
        if verdict.tested and all(pair):
            systems = tuple((line.variant or line.id, line.style) for line in pair if line)
            asked = (*verdict.columns, *(verdict.closed or {}))
            key = (systems, verdict.claim.columns, frozenset(asked))
            earlier = first.setdefault(key, verdict.claim.id)
            if earlier != verdict.claim.id:
                verdict = replace(verdict, repeats=earlier)
        marked.append(verdict)
    return marked


def _adjusted(found: Sequence[Verdict]) -> list[Verdict]:
    """Holm's correction over the family: one for the differences, one for the equivalences."""
    size = sum(verdict.tested for verdict in found)
    adjusted = list(found)
    for before, after in (("p", "p_holm"), ("equivalence_p", "equivalence_holm")):
        at = [i for i, v in enumerate(found) if v.tested and getattr(v, before) is not None]
        values = statistics.holm([getattr(found[i], before) for i in at], size)
        for index, value in zip(at, values):
            adjusted[index] = replace(adjusted[index], **{after: value})
    return adjusted


def _corrected(verdict: Verdict, family: Sequence[Verdict]) -> Verdict:
    """The verdict in words, once the family is corrected for."""
    if verdict.verdict:
        return verdict
    if verdict.repeats:
        first = next(one for one in family if one.claim.id == verdict.repeats)
        told = _corrected(first, family)
        return replace(
            verdict,
            verdict=told.verdict,
            reason=f"tested once, as {first.claim.id}: {told.reason}",
            p_holm=first.p_holm,
            equivalence_holm=first.equivalence_holm,
        )
    found = verdict.difference
    assert found is not None
    over = ""
    if verdict.closed:
        whole = len(verdict.columns) + len(verdict.closed)
        over = f", over the {len(verdict.columns)} of {whole} columns that are testable"
    if verdict.whole:
        over += f"; an average of {', '.join(verdict.columns)}, the paper's is of {verdict.whole}"
    if found.error is None:
        counts = f"{found.n[0]} and {found.n[1]}"
        alone = min(found.n) < 2
        reason = f"two pretrainings of each side are needed, there are {counts}"
        reason = reason if alone else "the seeds do not differ, so they say nothing of another one"
        return replace(verdict, verdict="inconclusive", reason=reason)
    if verdict.p_holm is not None and verdict.p_holm <= ALPHA:
        word = "supported" if found.mean > 0 else "reversed"
        return replace(verdict, verdict=word, reason=f"the difference is not zero{over}")
    if verdict.equivalence_holm is not None and verdict.equivalence_holm <= ALPHA:
        return replace(verdict, verdict="equivalent", reason=f"within the margin{over}")
    reason = f"neither a difference nor equivalence is shown{over}"
    if verdict.p is not None and verdict.p <= ALPHA:
        size = sum(one.tested for one in family)
        reason = f"the interval excludes zero, but not after Holm's correction over {size}{over}"
    return replace(verdict, verdict="inconclusive", reason=reason)


# ---- budgets


def _budgeted(
    verdict: Verdict, table: Table, amounts: Mapping[str, Mapping], match: str
) -> Verdict:
    """The verdict with what a second unit of budget says to it, where the ledgers know."""
    if verdict.verdict not in ("supported", "reversed") or match not in ledger.MATCHES:
        return verdict
    second = "targets" if match != "targets" else "positions"
    lines = {line.paper: line for line in table.lines if line.paper}
    spent = []
    for side in (verdict.claim.over, verdict.claim.under):
        entry = lines[side].cells[verdict.columns[0]][0]
        folders = set(entry.sample.pretrained.values())
        known = [amounts.get(folder, {}).get(second) for folder in folders]
        if not known or not all(known):
            return verdict
        spent.append(math.fsum(filter(None, known)) / len(known))
    better, worse = spent if verdict.verdict == "supported" else spent[::-1]
    names = [ledger.QUANTITIES[unit].lower() for unit in (match, second)]
    if better <= worse * (1 + ledger.ALIKE):
        text = f"holds by {names[0]} and by {names[1]}: the better side had no more of them"
    else:
        times = f"{better / worse:.2g} times as many"
        text = f"holds by {names[0]}, not by {names[1]}: the better side had {times}"
    return replace(verdict, budget=text)


def _printed(claim: Claim) -> tuple[float | None, str]:
    """The difference in the paper's own numbers, in favour of the claim, and its weaker status."""
    table = paper.table(claim.table)
    if table is None:
        return None, ""
    sides, statuses = [], set()
    for side in (claim.over, claim.under):
        values = []
        for column in claim.columns:
            id, _, name = column.partition(".")
            number = table.rows[side].values.get((id, name or id))
            if number is None or number.value is None:
                return None, ""
            statuses.add(number.status)
            values.append(-number.value if name == "ppl" else number.value)
        sides.append(math.fsum(values) / len(values))
    return sides[0] - sides[1], "recalled" if "recalled" in statuses else "confirmed"


def counts(verdicts: Sequence[Verdict]) -> Mapping[str, int]:
    """How many claims have each verdict, after the correction; a repeated pair counts once."""
    return {word: sum(v.verdict == word and not v.repeats for v in verdicts) for word in VERDICTS}


def shown_scale(unit: str, value: float) -> float:
    """A difference as a reader takes it: points, or percent of a perplexity."""
    return 100 * (items.scale(unit).back(value) - 1) if unit == "ppl" else value
