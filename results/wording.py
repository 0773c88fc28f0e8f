"""The words and signs of a table, the same in every format; renderers only escape and lay out.

Signs: "81.7" after "paper" was seen in a named source; "≈81.7ʳ" was recalled from memory and not
seen. A triangle beside ours marks a difference from the reference row whose 95% interval excludes
zero: △ better, ▽ worse; filled, ▲ ▼, where it also holds after Holm's correction over the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from results.cells import Column, Entry
from results.paper import Printed
from results.tables import Line, Table

METRICS = {
    "f1": "F1",
    "acc": "Acc.",
    "f1a": "F1a",
    "em": "EM",
    "avg": "Avg",
    "rg1": "RG-1",
    "rg2": "RG-2",
    "rgl": "RG-L",
    "bleu": "BLEU",
    "bleu4": "BLEU-4",
    "mtr": "MTR",
    "ppl": "perplexity",
    "bpb": "bits per byte",
}
MARKS = {(True, 1): "△", (True, 2): "▲", (False, 1): "▽", (False, 2): "▼"}


@dataclass(frozen=True)
class Piece:
    """One line of a cell. `kind` is "ours", "missing", "seeds" or "paper"."""

    kind: str
    text: str


def name(id: str) -> str:
    """ "table1" -> "Table 1"; a name of the user's own stays as it is."""
    for stem, word in (("table", "Table"), ("figure", "Figure")):
        if id.startswith(stem) and id[len(stem) :].isdigit():
            return f"{word} {id[len(stem) :]}"
    return id


def heading(table: Table) -> str:
    """The table's caption."""
    split = f" Split: {table.split}." if table.split else ""
    stop = "" if table.title.endswith((".", "?", "!", ")")) else "."
    return f"{name(table.id)}. {table.title}{stop}{split}"


def header(column: Column) -> tuple[str, str]:
    """A column's label and, below it, its metrics; no second part where the label is all."""
    metrics = "/".join(METRICS.get(metric, metric) for metric in column.metrics)
    return column.label, "" if metrics in column.label else metrics


def number(value: float) -> str:
    """One decimal, as the paper prints; a huge perplexity in powers of ten."""
    return f"{value:.1f}" if abs(value) < 10_000 else f"{value:.1e}"


def mark(entry: Entry) -> str:
    """The triangle of an entry, or nothing."""
    return MARKS.get((entry.better, entry.stars), "")


def quoted(printed: Printed) -> str:
    """A number of the paper's, so that a recalled one cannot be taken for one that was seen."""
    if printed.status == "confirmed":
        return printed.shown
    return f"≈{printed.shown}ʳ" if printed.status == "recalled" else "?"


def paper_word(entries: Sequence[Entry]) -> str:
    """ "paper" where something was seen, "recalled" where nothing was, "" where nothing is
    printed."""
    statuses = {entry.paper.status for entry in entries if entry.paper}
    for status, word in (("confirmed", "paper"), ("recalled", "recalled"), ("unknown", "paper")):
        if status in statuses:
            return word
    return ""


def paper_text(entries: Sequence[Entry], between: str = " / ") -> str:
    """The paper's numbers of a cell, each with its sign; "" where the paper has none."""
    shown = [quoted(entry.paper) if entry.paper else "–" for entry in entries]
    return between.join(shown) if paper_word(entries) else ""


def ours(entry: Entry) -> str:
    """Mean, deviation, interval and mark: "61.2 ±1.1 [58.5, 63.9] △"."""
    if entry.summary is None:
        return "—"
    text = number(entry.summary.mean)
    if entry.summary.sd is not None:
        text += f" ±{number(entry.summary.sd)}"
    if entry.summary.low is not None and entry.summary.high is not None:
        text += f" [{number(entry.summary.low)}, {number(entry.summary.high)}]"
    sign = mark(entry)
    return f"{text} {sign}" if sign else text


def missing(entry: Entry) -> str:
    """What became of the runs without a number: "1 diverged@40, 1 failed"."""
    return ", ".join(f"{count} {status}" for status, count in sorted(entry.states.items()))


def partial(entries: Sequence[Entry]) -> str:
    """ "3/5 seeds (1 diverged@40, 1 failed)" where runs are missing from a mean, else ""."""
    short = [entry for entry in entries if entry.runs and entry.done < entry.wanted]
    if not short:
        return ""
    worst = min(short, key=lambda entry: entry.done)
    return f"{worst.done}/{worst.wanted} seeds ({missing(worst)})"


def footnotes(table: Table) -> dict[str, int]:
    """Every reason for a dash, or for a run left out, numbered in order of appearance."""
    found: dict[str, int] = {}
    for line in table.lines:
        for column in table.columns:
            for entry in line.cells[column.id]:
                if entry.reason and (entry.summary is None or entry.states):
                    found.setdefault(entry.reason, len(found) + 1)
    return found


def dash(entry: Entry, notes: dict[str, int], words: bool = True) -> str:
    """ "— diverged@40 [2]", or without the words "—[2]"."""
    states = sorted(entry.states) if words else []
    status = f" {', '.join(states)} " if states else ""
    return f"—{status}[{notes[entry.reason]}]" if entry.reason in notes else f"—{status}".rstrip()


def pieces(entries: Sequence[Entry], notes: dict[str, int]) -> list[Piece]:
    """A cell, line by line: ours per metric, seeds where some are missing, the paper's."""
    lines: list[Piece] = []
    if all(entry.summary is None for entry in entries):
        texts = dict.fromkeys(dash(entry, notes) for entry in entries)
        lines += [Piece("missing", text) for text in texts]
    else:
        for entry in entries:
            label = f"{METRICS.get(entry.metric, entry.metric)} " if len(entries) > 1 else ""
            text = ours(entry) if entry.summary else dash(entry, notes)
            lines.append(Piece("ours" if entry.summary else "missing", label + text))
    short = partial(entries)
    if short:
        reason = next(entry.reason for entry in entries if entry.states)
        lines.append(Piece("seeds", f"{short} [{notes[reason]}]" if reason in notes else short))
    printed = paper_text(entries)
    if printed:
        lines.append(Piece("paper", f"{paper_word(entries)} {printed}"))
    return lines


def seeds(line: Line) -> str:
    """How many runs a row asks for: "3×2" (pretraining × finetuning seeds), or a count."""
    entries = [entry for entries in line.cells.values() for entry in entries]
    wanted = max((entry.wanted for entry in entries), default=0)
    if line.kind != "run" or not wanted:
        return "–"
    runs = {run for entry in entries for run in entry.runs}
    pretrain, finetune = (len({run[side] for run in runs}) for side in (0, 1))
    if min(pretrain, finetune) > 1 and pretrain * finetune == wanted:
        return f"{pretrain}×{finetune}"
    return str(wanted)


def legend(table: Table, intervals: bool = True) -> list[str]:
    """How to read the table: only what occurs in it; `intervals` says whether those are shown."""
    entries = [e for line in table.lines for es in line.cells.values() for e in es]
    ran = [entry for entry in entries if entry.runs and entry.summary]
    said = []
    if any(entry.summary and entry.summary.sd is not None for entry in ran):
        several = any(len({pretrain for pretrain, _ in entry.runs}) > 1 for entry in ran)
        over = (
            "pretraining seeds, each averaged over its finetuning seeds"
            if several
            else "the finetuning seeds of one pretraining, which says nothing about another one"
        )
        ends = " [95% t interval]" if intervals else ""
        said.append(f"Ours: mean ± standard deviation{ends} over {over}.")
    if any(entry.summary and entry.summary.n == 1 for entry in ran):
        said.append(
            "From one seed there is no deviation and no interval, and no difference is marked."
        )
    reference = next((line.label for line in table.lines if line.id == table.reference), "")
    if any(entry.stars for entry in entries):
        said.append(
            f"△ better, ▽ worse than {reference}: the 95% interval of the difference, paired by "
            "seed, excludes zero; ▲ ▼: also after Holm's correction over the table."
        )
    statuses = {entry.paper.status for entry in entries if entry.paper}
    if "confirmed" in statuses:
        said.append("paper x: printed in the paper, seen in a named source.")
    if "recalled" in statuses:
        said.append("≈xʳ: recalled from memory, not seen in the paper.")
    if "unknown" in statuses:
        said.append("?: the paper's number is unknown.")
    return said
