"""Priors: how far numbers spread in grids that are finished, for plans of grids that are not.

    python -m results.priors STORE/grids/NAME/tables ...    # writes results/priors.yaml anew

Read from the grids' own `tables.json`. Components are deviations in points, or in percent of a
perplexity: over pretraining seeds, over finetuning seeds of one pretraining, and what one example
adds to the difference of two rows. What the given grids do not measure keeps its line, marked as
earlier.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tasks import atomic
from tasks.errors import UserError

FILE = Path(__file__).with_name("priors.yaml")
LEAST = 2  # rows above their floors from which on others are left out
HEAD = """\
# How far a system's numbers spread, by task and metric: written by `python -m results.priors`.
#   mean                 over the rows, in points or as a perplexity
#   pretraining          deviation over pretraining seeds, in points or percent of a perplexity
#   finetuning           and over finetuning seeds of one; without it the first holds it, for means
#                        over two finetunings
#   example              deviation that one example adds to the difference of two rows
#   rows, above          systems behind it, and whether all of them stood above the floors
#   n, scale, source     examples a run, and where it was measured; earlier: not in the last grids
"""

Place = tuple[str, str]  # task, metric


@dataclass(frozen=True)
class Prior:
    """One task's metric: the components of its variance, as deviations; see the file's head."""

    unit: str
    mean: float
    pretraining: float
    rows: int
    source: str
    finetuning: float | None = None
    example: float | None = None
    above: bool = False
    n: int | None = None
    scale: str = ""
    earlier: bool = False

    def seeds(self, finetunings: int) -> float:
        """The deviation over pretrainings, each the mean over so many finetunings."""
        return math.hypot(self.pretraining, (self.finetuning or 0.0) / math.sqrt(finetunings))


def read(path: Path = FILE) -> dict[Place, Prior]:
    """The priors of a file, by task and metric."""
    known: Mapping[str, Mapping[str, Mapping[str, Any]]]
    known = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {
        (task, metric): Prior(**facts)
        for task, metrics in known.items()
        for metric, facts in metrics.items()
    }


def text(found: Mapping[Place, Prior]) -> str:
    """The priors as a file, a line a metric."""
    lines = [HEAD.rstrip()]
    for named in dict.fromkeys(task for task, _ in found):
        lines.append(f"{named}:")
        for (task, metric), prior in found.items():
            if task == named:
                facts = {k: _short(v) for k, v in vars(prior).items() if v not in (None, "", False)}
                told = yaml.safe_dump(facts, default_flow_style=True, sort_keys=False, width=10_000)
                lines.append(f"  {metric}: {told.strip()}")
    return "\n".join(lines) + "\n"


def _short(value: object) -> object:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def measured(folders: Iterable[Path]) -> dict[Place, Prior]:
    """The priors that finished grids give: `folders` hold a `tables.json` each."""
    rows: dict[Place, dict[tuple, _Row]] = {}
    for folder in folders:
        for place, row in _rows(folder):
            # Tables share systems: the same runs count once.
            rows.setdefault(place, {})[tuple(sorted(row.runs.items()))] = row
    found = {place: _prior(list(these.values())) for place, these in rows.items()}
    return {place: prior for place, prior in found.items() if prior is not None}


def merged(old: Mapping[Place, Prior], new: Mapping[Place, Prior]) -> dict[Place, Prior]:
    """The new priors, and the old ones of what they lack, marked as earlier."""
    kept = {place: replace(prior, earlier=True) for place, prior in old.items() if place not in new}
    return {**new, **kept}


@dataclass(frozen=True)
class _Row:
    """A system's runs in one column, on the scale of differences."""

    unit: str
    mean: float  # in shown units
    runs: Mapping[tuple[Any, Any], float]
    above: bool
    n: int | None
    example: float | None  # variance
    source: str
    scale: str

    @property
    def pretrainings(self) -> list[list[float]]:
        """The values of each pretraining's finetunings."""
        found: dict[Any, list[float]] = {}
        for (pretrain, _), value in self.runs.items():
            found.setdefault(pretrain, []).append(value)
        return list(found.values())


def _rows(folder: Path) -> Iterator[tuple[Place, _Row]]:
    """Every row's numbers in a grid's tables; controls with another budget are other systems."""
    path = folder / "tables.json"
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read as a grid's tables ({error})") from None
    for table in tables:
        if any("task" not in column for column in table["columns"]):
            raise UserError(
                f"{path} does not say which tasks its columns are of: write it anew with "
                "`python -m harness table GRID.yaml`"
            )
        tasks = {column["id"]: column["task"] for column in table["columns"]}
        facts = table["facts"]
        told = ("data", "commit", "finished")
        source = "; ".join(facts[name] for name in told if facts.get(name))
        for row in table["rows"]:
            if row["kind"] != "run" or row["control"] == "planted":
                continue
            for column, entries in row["cells"].items():
                for entry in entries:
                    if tasks.get(column) and _measured(entry):
                        place = (tasks[column], entry["metric"])
                        yield place, _row(entry, source or str(folder), facts.get("scale", ""))


def _measured(entry: Mapping[str, Any]) -> bool:
    """Whether an entry has numbers only: what is not finite is null in the file."""
    values = [run["value"] for run in entry["runs"]]
    return bool(values) and None not in (entry["mean"], *values)


def _row(entry: Mapping[str, Any], source: str, scale: str) -> _Row:
    ppl = entry["unit"] == "ppl"
    apart = (entry["versus_reference"] or {}).get("variance") or {}
    examples, n = apart.get("examples"), entry["examples"]
    return _Row(
        entry["unit"],
        entry["mean"],
        {
            (pretrain, finetune): 100 * math.log(run["value"]) if ppl else run["value"]
            for run in entry["runs"]
            for pretrain, finetune in [run["seeds"]]
        },
        _above(entry),
        n,
        None if examples is None or n is None else (100**2 if ppl else 1) * examples * n,
        source,
        scale,
    )


def _above(entry: Mapping[str, Any]) -> bool:
    """Whether a number stands above all of its floors with its interval."""
    floors, ends = entry["floors"].values(), entry["interval"]
    if not ends or not floors or None in (*ends, *floors):
        return False
    if entry["higher_is_better"]:
        return ends[0] > max(floors)
    return ends[1] < min(floors)


def _prior(rows: Sequence[_Row]) -> Prior | None:
    """The components, pooled over systems; None where none has two pretrainings that differ.

    Systems at the floor may have collapsed and spread less than one that has learnt: they count
    only where too few others are there. By mean squares (Searle, Linear Models, 1971): between
    pretrainings of F finetunings each the variance is pretraining + finetuning / F.
    """
    several = [row for row in rows if len({*map(_mean, row.pretrainings)}) > 1]
    learnt = [row for row in several if row.above]
    used = learnt if len(learnt) >= LEAST else several
    if not used:
        return None
    between = _mean([_variance(list(map(_mean, row.pretrainings))) for row in used])
    groups = [values for row in used for values in row.pretrainings]
    freedom = sum(len(values) - 1 for values in groups)
    within = None
    if freedom:
        squares = (_variance(values) * (len(values) - 1) for values in groups if len(values) > 1)
        within = math.fsum(squares) / freedom
        between -= within * _mean([1 / len(values) for values in groups])
    ones = [row.example for row in used if row.example is not None]
    first = used[0]
    return Prior(
        first.unit,
        _mean([row.mean for row in used]),
        math.sqrt(max(between, 0.0)),
        len(used),
        first.source,
        math.sqrt(within) if within is not None else None,
        math.sqrt(_mean(ones)) if ones else None,
        used is learnt,
        first.n,
        first.scale,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the priors of finished grids; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m results.priors", description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path, help="a grid's folder of tables")
    parser.add_argument("--out", type=Path, default=FILE, help="the file, read and written anew")
    options = parser.parse_args(argv)
    try:
        new = measured(options.tables)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = merged(read(options.out) if options.out.is_file() else {}, new)
    atomic.write(options.out, text(found).encode())
    print(f"{options.out}: {len(new)} metrics from these tables, {len(found) - len(new)} earlier")
    return 0


if __name__ == "__main__":
    sys.exit(main())
