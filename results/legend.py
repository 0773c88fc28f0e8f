"""The lines below a table that say how to read it: only what occurs in it."""

from collections.abc import Iterator

from results import wording
from results.cells import Column, Entry
from results.selection import gains
from results.tables import Table


def legend(table: Table, intervals: bool = True) -> list[str]:
    """How to read the table: only what occurs in it; `intervals` says whether those are shown."""
    entries = [e for line in table.lines for es in line.cells.values() for e in es]
    ran = [entry.summary for entry in entries if entry.runs and entry.summary]
    said = []
    estimands = dict.fromkeys(summary.estimand for summary in ran if summary.low is not None)
    if estimands and intervals:
        said.append(
            "Ours: mean over pretrainings "
            f"[95% interval for {' or '.join(estimands)} and other seeds]."
        )
    if any(summary.alike for summary in ran):
        said.append("All seeds alike: the runs give one value, which says nothing of another seed.")
    if any(summary.n == 1 for summary in ran):
        said.append("From one pretraining there is no interval, and no difference is marked.")
    reference = next((line.label for line in table.lines if line.id == table.reference), "")
    if any(entry.marked for entry in entries):
        said.append(
            f"▲ better, ▼ worse than {reference}: at 5% for the whole table, with one pooled "
            "error a column, Dunnett's correction over rows and Holm's over columns."
        )
    statuses = {entry.paper.status for entry in entries if entry.paper}
    if "confirmed" in statuses:
        said.append("paper x: printed in the paper, seen in a named source.")
    if "recalled" in statuses:
        said.append("≈xʳ: recalled from memory, not seen in the paper.")
    if "unknown" in statuses:
        said.append("?: the paper's number is unknown.")
    return [*said, *without_found(table), *chosen(table)]


def without_found(table: Table) -> list[str]:
    """Every number once more without the examples that its models have read, a line a metric."""
    said = []
    for name, index, column in _metrics(table):
        rows = [
            f"{line.label} {without(entry)}"
            for line in table.lines
            if (entry := line.cells[column.id][index]).clean
        ]
        said += [f"{name}: {'; '.join(rows)}."] if rows else []
    return said


def without(entry: Entry) -> str:
    """ "without 4 found rows: 61.2 [55.0, 67.1], with them 60.6"; "" where none were left out."""
    if entry.clean is None or entry.summary is None:
        return ""
    rows = "1 found row" if entry.clean.found == 1 else f"{entry.clean.found} found rows"
    said = wording.estimate(entry.clean.summary)
    return f"without {rows}: {said}, with them {wording.estimate(entry.summary)}"


def chosen(table: Table) -> list[str]:
    """What choosing has brought, the mean over all runs of a column."""
    epochs, settings, flattered = (_gains(table, key) for key in ("last", "first", "optimism"))
    said = []
    if epochs:
        said.append(
            "Each run's epoch was chosen by the loss on rows that are not reported; on those that "
            f"are it gives, over the last epoch (better where positive): {epochs}."
        )
    if settings:
        said.append(
            "Settings were chosen among those of a sweep, on rows that are not reported; on those "
            f"that are they give, over the sweep's first (better where positive): {settings}."
        )
    if flattered:
        said.append(f"Where they were chosen they look better than reported by {flattered}.")
    return said


def _gains(table: Table, key: str) -> str:
    """ "CB F1 +0.4 (6 runs), RTE Acc. -0.1 (6 runs)"."""
    said = []
    for name, index, column in _metrics(table):
        entries = [line.cells[column.id][index] for line in table.lines]
        found = gains(
            [choice for entry in entries for choice in entry.choices],
            1 if all(entry.higher_is_better for entry in entries if entry.runs) else -1,
        )[key]
        if found:
            runs = "1 run" if found.runs == 1 else f"{found.runs} runs"
            said.append(f"{name} {wording.signed(found.mean)} ({runs})")
    return ", ".join(said)


def _metrics(table: Table) -> Iterator[tuple[str, int, Column]]:
    """Every metric of every column: its name with the column's, its place, and the column."""
    for column in table.columns:
        for index, metric in enumerate(column.metrics):
            known = wording.METRICS.get(metric, metric)
            name = column.label if known in column.label else f"{column.label} {known}"
            yield name, index, column
