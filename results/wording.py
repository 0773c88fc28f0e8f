"""The words and signs of a table, the same in every format; renderers only escape and lay out.

Signs: "81.7" after "paper" was seen in a named source; "≈81.7ʳ" was recalled from memory and not
seen. A triangle beside ours marks a difference from the reference row, ▲ better, ▼ worse, that
holds after the corrections for many rows (Dunnett) and many columns (Holm).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.cells import Column, Entry, Summary
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
    "twins": "Twins",
}
MARKS = {True: "▲", False: "▼"}
LARGE = 10_000  # from which on numbers are written with a power of ten


@dataclass(frozen=True)
class Piece:
    """One line of a cell. `kind` is "ours", "not-testable", "missing", "seeds" or "paper"."""

    kind: str
    text: str
    reason: str = ""  # why it cannot be compared with the reference row


def name(id: str) -> str:
    """ "table1" -> "Table 1"; a name of the user's own stays as it is."""
    for stem, word in (("table", "Table"), ("figure", "Figure")):
        if id.startswith(stem) and id[len(stem) :].isdigit():
            return f"{word} {id[len(stem) :]}"
    return id


def heading(table: Table) -> str:
    """The table's caption: what was run, never what the paper ran."""
    known = name(table.id)
    if table.papers:
        said = f"Rows and columns of {known}"
        return (
            f"{_sentence(f'{said}, run on {table.place}' if table.place else said)}{_split(table)}"
        )
    titles = dict.fromkeys(filter(None, (known, table.title)))
    place = f" {_sentence(f'Run on {table.place}')}" if table.place else ""
    return " ".join(map(_sentence, titles)) + place + _split(table)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ")")) else f"{text}."


def _split(table: Table) -> str:
    return f" Split: {table.split}." if table.split else ""


def setting(table: Table) -> str:
    """What was run, in one paragraph; "" where the manifest does not say."""
    parts = [f"{said(name)}: {text}" for name, text in table.facts.items() if name != "data"]
    trained = {c.label: c.trained for c in table.columns if c.trained}
    if len(set(trained.values())) == 1:
        trained = {"each task": next(iter(trained.values()))}
    short = {c.label: c.cut for c in table.columns if c.cut}
    for name, found in (("finetuned_on", trained), ("questions_cut_to_fit", short)):
        if found:
            listed = ", ".join(f"{label} {text}" for label, text in found.items())
            parts.append(f"{said(name)}: {listed}")
    return ". ".join(parts) + "." if parts else ""


def said(name: str) -> str:
    """A fact's name as a reader sees it: "tokens_read" -> "Tokens read"."""
    return name.replace("_", " ").capitalize()


def in_paper(table: Table) -> str:
    """The paper's own words for the table whose numbers stand beside ours; "" without any."""
    return f"In the paper: {table.papers}" if table.papers else ""


def header(column: Column) -> tuple[str, str, str]:
    """A column's label, its metrics (unless the label has them) and its number of examples."""
    metrics = "/".join(METRICS.get(metric, metric) for metric in column.metrics)
    return column.label, "" if metrics in column.label else metrics, column.used


def number(value: float, half: float | None = None) -> str:
    """A value with as many digits as the half-width of its interval bears, one decimal without.

    >>> number(61.234, 12.0), number(61.234, 1.2), number(61.234, 0.012), number(170_000.0)
    ('61', '61.2', '61.234', '1.7e+05')
    >>> number(170_000.0, 800.0)
    '1.7000e+05'
    """
    if abs(value) >= LARGE:
        return f"{value:.{_figures(value, half)}e}"
    return f"{value:.{_decimals(half)}f}"


def signed(value: float, half: float | None = None) -> str:
    """The same with its sign, and no sign before a zero."""
    if abs(value) >= LARGE:
        return f"{value:+.{_figures(value, half)}e}"
    text = f"{value:+.{_decimals(half)}f}"
    return text if float(text) else text[1:]


def _figures(value: float, half: float | None) -> int:
    """Decimals of a large number's power of ten, so that it differs from its interval's ends."""
    if not half or not math.isfinite(half):
        return 1
    return min(12, max(1, math.floor(math.log10(abs(value))) - math.floor(math.log10(half)) + 1))


def _decimals(half: float | None) -> int:
    """Decimals that leave the half-width two digits, or one where it begins with a large one."""
    if not half or not math.isfinite(half):
        return 1
    return min(12, max(0, -math.floor(math.log10(half / 0.95)) + (half < 10)))


def mark(entry: Entry) -> str:
    """The triangle of an entry, or nothing."""
    return MARKS[entry.better] if entry.marked else ""


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
    """Mean, interval and mark: "61.2 [58.5, 63.9] ▲"; what a spread is over where there is none."""
    if entry.summary is None:
        return "—"
    text, sign = estimate(entry.summary), mark(entry)
    return f"{text} {sign}" if sign else text


def estimate(found: Summary) -> str:
    """Mean and interval, or what there is in its place."""
    if found.low is not None and found.high is not None:
        half = (found.high - found.low) / 2
        ends = f"[{number(found.low, half)}, {number(found.high, half)}]"
        return f"{number(found.mean, half)} {ends}"
    if found.alike:
        return f"{number(found.mean)} (all seeds alike)"
    if found.sd:
        return f"{number(found.mean)} (sd {number(found.sd, found.sd)} of finetunings)"
    return number(found.mean)


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


def gates(table: Table) -> dict[str, str]:
    """Every reason why a comparison cannot be made, with a letter, in order of appearance."""
    found: dict[str, str] = {}
    for line in table.lines:
        for column in table.columns:
            for entry in line.cells[column.id]:
                if entry.untestable and entry.summary:
                    found.setdefault(entry.untestable, _letters(len(found)))
    return found


def _letters(index: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def reasons(table: Table) -> list[tuple[str, str]]:
    """What the numbers and letters in a table's cells point to, each with its text."""
    reference = next((line.label for line in table.lines if line.id == table.reference), "")
    said = [(f"[{index}]", reason) for reason, index in footnotes(table).items()]
    barred = gates(table).items()
    return said + [(f"[{at}]", f"not testable against {reference}: {why}") for why, at in barred]


def dash(entry: Entry, notes: dict[str, int], words: bool = True) -> str:
    """ "— diverged@40 [2]", or without the words "—[2]"."""
    states = sorted(entry.states) if words else []
    status = f" {', '.join(states)} " if states else ""
    return f"—{status}[{notes[entry.reason]}]" if entry.reason in notes else f"—{status}".rstrip()


def pieces(
    entries: Sequence[Entry], notes: dict[str, int], barred: Mapping[str, str]
) -> list[Piece]:
    """A cell, line by line: ours per metric, seeds where some are missing, the paper's."""
    lines: list[Piece] = []
    if all(entry.summary is None for entry in entries):
        texts = dict.fromkeys(dash(entry, notes) for entry in entries)
        lines += [Piece("missing", text) for text in texts]
    else:
        for entry in entries:
            label = f"{METRICS.get(entry.metric, entry.metric)} " if len(entries) > 1 else ""
            text = ours(entry) if entry.summary else dash(entry, notes)
            kind = "not-testable" if entry.untestable else "ours"
            letter = f" [{barred[entry.untestable]}]" if entry.untestable in barred else ""
            said = Piece(kind, label + text + letter, entry.untestable)
            lines.append(said if entry.summary else Piece("missing", label + text))
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
