"""What the paper prints, with the status of every number: read from `results/paper/*.yaml`.

A status is "confirmed" (seen in a named source), "recalled" (remembered, not seen) or "unknown". No
renderer may show a recalled number as the paper's; see `wording.quoted`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("paper")
STATUSES = ("confirmed", "recalled", "unknown")
TABLES = ("table1", "table2", "table3", "table4", "table5", "table6", "figure4")


@dataclass(frozen=True)
class Printed:
    """One number of the paper. `value` is None for an unknown one and for a bound such as
    ">100"."""

    value: float | None
    shown: str
    status: str
    source: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperRow:
    """One system of a table; `values` maps (column, metric) to what is printed there."""

    id: str
    label: str
    group: str
    mode: str  # Figure 4: "unidirectional" or "bidirectional"; else empty
    values: Mapping[tuple[str, str], Printed]
    corroborated: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class PaperTable:
    """A table (or Figure 4) of the paper. `reference` is the row that others are compared with."""

    id: str
    title: str
    title_status: str
    reference: str
    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, PaperRow]
    notes: tuple[str, ...]

    @property
    def caption(self) -> str:
        """What the paper calls the table and its groups of rows, marked where it is recalled."""
        word = "" if self.title_status == "confirmed" else ", title recalled"
        groups: dict[str, list[str]] = {}
        for row in self.rows.values():
            groups.setdefault(row.group, []).append(row.label)
        said = [f"{group}: {', '.join(rows)}." for group, rows in groups.items() if group]
        number = self.id.replace("table", "Table ").replace("figure", "Figure ")
        return " ".join([f"{number}{word}: {self.title}", *said])

    def whole(self, columns: Collection[str]) -> int:
        """How many columns the paper's average is over, where these lack one of them; else 0."""
        averaged = [id for id in self.columns if id != "avg"] if "avg" in self.columns else []
        return 0 if set(averaged) <= set(columns) else len(averaged)

    def printed(
        self, row: str, column: str, metrics: tuple[str, ...], index: int
    ) -> Printed | None:
        """What stands in `row` and `column` for `metrics[index]`, or None where nothing does.

        A metric is found by its name; failing that by its place, if the paper prints as many there.
        """
        if row not in self.rows or column not in self.columns:
            return None
        names = self.columns[column]
        name = metrics[index]
        if name not in names:
            if len(names) != len(metrics):
                return None
            name = names[index]
        return self.rows[row].values.get((column, name), Printed(None, "?", "unknown"))


@dataclass(frozen=True)
class Claim:
    """The paper says that system `over` is better than `under` on the mean of `columns`.

    A column is "id.metric", and all have one metric; or it is "avg" alone. `differs` says what
    keeps our systems from being the paper's.
    """

    id: str
    table: str
    over: str
    under: str
    columns: tuple[str, ...]
    text: str
    status: str
    source: tuple[str, ...]
    differs: str = ""


def _yaml(name: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)


@cache
def table(id: str) -> PaperTable | None:
    """The paper's table `id` ("table1" .. "table6", "figure4"); None for a table of the user's
    own."""
    if id not in TABLES:
        return None
    read = _yaml(id)
    columns = {name: tuple(metrics) for name, metrics in read["columns"].items()}
    rows = {row["id"]: _row(row) for row in read["rows"]}
    notes = tuple(read["notes"])
    return PaperTable(
        id, read["title"], read["title_status"], read["reference"], columns, rows, notes
    )


def _row(read: Mapping[str, Any]) -> PaperRow:
    values: dict[tuple[str, str], Printed] = {}
    for status in STATUSES:
        below = dict(read.get(status, {}))
        source = tuple(below.pop("source", ()))
        for column, metrics in below.items():
            for metric, number in metrics.items():
                if (column, metric) in values:
                    raise ValueError(f"{read['id']}: {column}.{metric} has two statuses")
                values[column, metric] = _printed(number, status, source)
    text = {key: read.get(key, "") for key in ("group", "mode", "note")}
    return PaperRow(
        read["id"],
        read["label"],
        text["group"],
        text["mode"],
        values,
        tuple(read.get("corroborated", ())),
        text["note"],
    )


def _printed(number: float | str | None, status: str, source: tuple[str, ...]) -> Printed:
    if number is None:
        return Printed(None, "?", status, source)
    if isinstance(number, str):
        return Printed(None, number, status, source)
    return Printed(float(number), f"{number:.1f}", status, source)


@cache
def claims() -> tuple[Claim, ...]:
    """The checklist of the paper's claims, in the order of its tables."""
    return tuple(
        Claim(**{**claim, "columns": tuple(claim["columns"]), "source": tuple(claim["source"])})
        for claim in _yaml("claims")
    )


def one_metric(claim: Claim) -> str:
    """The metric that a claim is about; a ValueError where it mixes several or names none."""
    if claim.columns == ("avg",):
        return "avg"
    metrics = {column.partition(".")[2] for column in claim.columns}
    if len(metrics) != 1 or not all(metrics):
        raise ValueError(
            f"claim {claim.id} is about {', '.join(claim.columns)}: name one metric, "
            "as in heldout.ppl"
        )
    return metrics.pop()


@cache
def sources() -> Mapping[str, str]:
    """What the source marks S1 .. S13 and R stand for."""
    return _yaml("sources")["sources"]
