"""Tables as Markdown, CSV and LaTeX (booktabs), and as plain text for a terminal.

Labels, reasons and signatures come from users' files and from models: every renderer escapes them,
so that nothing in them is markup, a macro or a spreadsheet formula.
"""

import csv as csv_module
import io
import textwrap
from collections.abc import Callable, Mapping

from results import escapes, layout, wording
from results.cells import Column, Entry
from results.escapes import clean
from results.legend import legend
from results.tables import Line, Table
from results.wording import footnotes, gates, header, heading, pieces

CSV_HEADER = (
    *("table", "row", "label", "group", "column", "metric", "kind", "mean", "sd", "pretrainings"),
    *("low", "high", "estimand", "runs_done", "runs_wanted", "missing", "reason"),
    *("paper_confirmed", "paper_recalled", "difference", "difference_low", "difference_high"),
    *("detectable", "p", "better", "mark", "not_testable", "unit", "examples", "signature"),
    *("found_rows", "mean_without_found", "over_last_epoch", "over_first_setting", "optimism"),
    *("examples_of", "trained_on", "cut_to_fit", "parameters", "data", "scale", "corpus"),
    *("tokens_read", "finished", "commit", "paper_row", "paper_table"),
)


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown; a cell's lines are separated by <br>."""
    notes, barred = footnotes(table), gates(table)
    heads = ["System", "Seeds"]
    heads += [
        " ".join(filter(None, map(escapes.markdown, header(column)))) for column in table.columns
    ]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for line, group in _grouped(table):
        if group:
            rows.append(f"| **{escapes.markdown(group)}** |" + " |" * (len(heads) - 1))
        cells = [
            "<br>".join(
                escapes.markdown(p.text, brackets=True)
                for p in pieces(line.cells[column.id], notes, barred)
            )
            for column in table.columns
        ]
        rows.append(
            f"| {' | '.join([escapes.markdown(line.label), wording.seeds(line), *cells])} |"
        )
    said = [f"- {escapes.markdown(text)}" for text in (*legend(table), *table.notes)]
    said += [f"- {at} {escapes.markdown(reason)}" for at, reason in wording.reasons(table)]
    below = "\n\n" + "\n".join(said) if said else ""
    above = "".join(f"{escapes.markdown(text)}\n\n" for text in _about(table))
    return f"### {escapes.markdown(heading(table))}\n\n{above}" + "\n".join(rows) + below + "\n"


def _about(table: Table) -> list[str]:
    """The paragraphs between a caption and its table: what was run, and the paper's own words."""
    return list(filter(None, (wording.setting(table), wording.in_paper(table))))


def csv(table: Table) -> str:
    """One line per row, column and metric; numbers in full; recalled ones in a column of their
    own."""
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for line in table.lines:
        for column in table.columns:
            for entry in line.cells[column.id]:
                writer.writerow(
                    [escapes.cell(value) for value in _record(table, line, column, entry)]
                )
    return out.getvalue()


def _record(table: Table, line: Line, column: Column, entry: Entry) -> tuple:
    found, versus, printed, clean = entry.summary, entry.versus, entry.paper, entry.clean
    spread = (None,) * 6
    if found:
        spread = (found.mean, found.sd, found.n, found.low, found.high, found.estimand)
    against = (None,) * 4
    if versus:
        against = (versus.mean, versus.low, versus.high, versus.detectable)
    by_status = [
        printed.shown if printed and printed.status == status else None
        for status in ("confirmed", "recalled")
    ]
    return (
        *(table.id, line.id, line.label, line.group, column.id, entry.metric, line.kind, *spread),
        *(entry.done, entry.wanted, wording.missing(entry)),
        *(entry.reason if found is None or entry.states else "", *by_status, *against),
        *(entry.p, "higher" if entry.higher_is_better else "lower", wording.mark(entry)),
        *(entry.untestable, entry.unit, entry.n, "; ".join(entry.signatures)),
        *(clean.found if clean else None, clean.summary.mean if clean else None),
        *(gain.mean if gain else None for gain in entry.gains.values()),
        *(column.used, column.trained, column.cut, line.size),
        *(table.facts.get(name, "") for name in ("data", "scale", "corpus", "tokens_read")),
        *(table.facts.get(name, "") for name in ("finished", "commit")),
        *(line.paper, table.papers),
    )


def latex(table: Table) -> str:
    r"""A table* with booktabs rules; it needs \usepackage{booktabs} and nothing else."""
    notes, barred = footnotes(table), gates(table)
    rows = [
        {
            "group": group,
            "label": line.label,
            "seeds": wording.seeds(line),
            "cells": [
                [piece.text for piece in pieces(line.cells[column.id], notes, barred)]
                for column in table.columns
            ],
        }
        for line, group in _grouped(table)
    ]
    said = [*_about(table), *legend(table), *table.notes]
    said += [f"{at} {reason}" for at, reason in wording.reasons(table)]
    heads = [[part for part in header(column) if part] for column in table.columns]
    values = {"caption": heading(table), "heads": heads, "rows": rows, "said": said}
    return layout.latex("table.tex.j2", values)


def terminal(table: Table) -> str:
    """Plain text: per row our means, below them half their intervals and the paper's numbers."""
    notes, barred = footnotes(table), gates(table)
    heads = [header(column) for column in table.columns]
    rows: list[list[str]] = [["System", "Seeds", *(label for label, _, _ in heads)]]
    if any(metrics for _, metrics, _ in heads):
        rows.append(["", "", *(metrics for _, metrics, _ in heads)])
    if any(used for _, _, used in heads):
        counts = (used.partition(",")[0].replace(" of ", "/") for _, _, used in heads)
        rows.append(["  examples of those there", "", *counts])
    top = len(rows)
    breaks = {}
    for line, group in _grouped(table):
        if group:
            breaks[len(rows)] = group
        rows += _terminal_rows(table, line, notes, barred)
    rows = [[_clip(text, 44 if not i else 24) for i, text in enumerate(row)] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    width = max(96, sum(widths) + 2 * len(widths) - 2)
    out = [clean(heading(table))]
    out += [textwrap.fill(clean(text), width) for text in _about(table)]
    out.append("")
    for index, row in enumerate(rows):
        if index in breaks or index == top:
            out.append("-" * (sum(widths) + 2 * len(widths) - 2))
            out += [f"[{clean(breaks[index])}]"] if index in breaks else []
        cells = [row[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(row[1:], widths[1:]))]
        out.append("  ".join(cells).rstrip())
    below = [*legend(table, intervals=False), *table.notes]
    below += [f"{at} {reason}" for at, reason in wording.reasons(table)]
    out += ["", *(textwrap.fill(clean(text), width, subsequent_indent="  ") for text in below)]
    return "\n".join(out) + "\n"


def _terminal_rows(
    table: Table, line: Line, notes: dict[str, int], barred: Mapping[str, str]
) -> list[list[str]]:
    cells = [line.cells[column.id] for column in table.columns]
    means, spreads, short = [], [], []
    for entries in cells:
        if all(entry.summary is None for entry in entries):
            means.append(wording.dash(entries[0], notes, words=False))
        else:
            means.append("/".join(_mean(entry, barred) for entry in entries))
        halves = [_half(entry) for entry in entries]
        known = ["–" if half is None else f"±{wording.number(half, half)}" for half in halves]
        spreads.append("/".join(known) if any(half is not None for half in halves) else "")
        part = wording.partial(entries)
        short.append(part.split(" (")[0])
    rows = [[line.label, wording.seeds(line), *means]]
    rows += [["  ± half the interval", "", *spreads]] if any(spreads) else []
    rows += [["  seeds with a number", "", *short]] if any(short) else []
    words = {wording.paper_word(entries) for entries in cells} - {""}
    if words:
        recalled = any(e.paper and e.paper.status == "recalled" for es in cells for e in es)
        said = "paper, ʳ recalled" if recalled and "paper" in words else words.pop()
        rows.append([f"  {said}", "", *(wording.paper_text(entries, "/") for entries in cells)])
    return rows


def _mean(entry: Entry, barred: Mapping[str, str]) -> str:
    if entry.summary is None:
        return "—"
    letter = f"[{barred[entry.untestable]}]" if entry.untestable in barred else ""
    return wording.number(entry.summary.mean, _half(entry)) + wording.mark(entry) + letter


def _half(entry: Entry) -> float | None:
    """Half the width of an entry's interval; None where there is none."""
    found = entry.summary
    if found is None or found.low is None or found.high is None:
        return None
    return (found.high - found.low) / 2


RENDERERS: dict[str, Callable[[Table], str]] = {"md": markdown, "csv": csv, "tex": latex}


def _grouped(table: Table) -> list[tuple[Line, str]]:
    """The lines, each with the group that begins with it, if one does."""
    before = [""] + [line.group for line in table.lines]
    return [
        (line, line.group if line.group != old else "") for line, old in zip(table.lines, before)
    ]


def _clip(text: str, width: int) -> str:
    text = clean(text) if text.strip() == text else f"  {clean(text)}"
    return text if len(text) <= width else text[: width - 1] + "…"
