"""Cells: the runs behind one number, what they say together, and what the paper prints there.

A *run* is one (pretraining seed, finetuning seed) pair. An interval over systems needs two
pretrainings; with one there is at most a spread over its finetuning seeds, named as such.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results import items, samples, selection, statistics
from results.paper import Printed
from results.samples import Sample, Seeds
from results.selection import Choice, Gain
from results.statistics import Difference, Error

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """What the runs say of the system: mean, spread and interval, in shown units.

    `sd` is over `over` ("pretraining seeds", each averaged over its finetuning seeds, or
    "finetuning seeds" of one pretraining). `low` and `high` are of the estimand named, None where
    there is no interval: fewer than two pretrainings, or seeds that are all `alike`.
    """

    n: int  # pretrainings
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    over: str = "pretraining seeds"
    estimand: str = ""
    fixed: tuple[float, float] | None = None  # the interval for this test set
    alike: bool = False


@dataclass(frozen=True)
class Clean:
    """The same without examples that its models have read: `n` a run are left of those there."""

    summary: Summary
    n: int
    found: int  # the examples left out
    runs: int


@dataclass(frozen=True)
class Entry:
    """One metric of one cell: our runs and what they say, beside what the paper prints.

    `states` counts the runs that gave no number, by status, and `lost` names them. `versus` is the
    difference from the reference row, with the column's pooled error; `p` is Dunnett's within the
    column, and `marked` says that it holds after Holm's correction over the table's columns.
    `untestable` says why no comparison with the reference row can be made here. `clean` is there
    where rows have leaked and were left out once more, `choices` where something was chosen.
    """

    metric: str
    runs: Mapping[Seeds, float] = field(default_factory=dict)
    sample: Sample = field(default_factory=Sample, compare=False)
    summary: Summary | None = None
    wanted: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[Seeds, ...] = ()
    reason: str = ""
    unit: str = "fraction"
    higher_is_better: bool = True
    n: int | None = None  # examples per run
    signatures: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)  # name -> value, in shown units
    commonest: float | None = None  # the share of the answer given most often
    paper: Printed | None = None
    versus: Difference | None = None
    p: float | None = None
    marked: bool = False
    untestable: str = ""
    leaked: Mapping[str, int] | None = None  # rows that its models have read, by where
    clean: Clean | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def gains(self) -> Mapping[str, Gain | None]:
        """What choosing has brought, better where positive: by what it is measured against."""
        return selection.gains(self.choices, 1 if self.higher_is_better else -1)

    @property
    def done(self) -> int:
        """How many runs gave a number."""
        return len(self.runs)

    @property
    def better(self) -> bool:
        """Whether the difference from the reference row is to the good."""
        return self.versus is not None and (self.versus.mean > 0) == self.higher_is_better

    @property
    def floor(self) -> tuple[str, float] | None:
        """The highest floor (for a perplexity the lowest), with its name."""
        best = max if self.higher_is_better else min
        return best(self.floors.items(), key=lambda item: item[1]) if self.floors else None


@dataclass(frozen=True)
class Column:
    """A column; `metrics` in the order the paper prints them.

    What it was measured on, where that is on record: "100 of 277" examples `used` and `trained` on,
    and questions `cut` to fit.
    """

    id: str
    label: str
    metrics: tuple[str, ...]
    used: str = ""
    trained: str = ""
    cut: str = ""
    task: str = ""


def gathered(metric: str, records: Sequence[Record]) -> Entry:
    """The runs of one cell and metric, summed up."""
    done = [record for record in records if record["status"] == "done"]
    missing = [record for record in records if record["status"] != "done"]
    reasons = dict.fromkeys(record["reason"] or record["status"] for record in missing)
    known = next((record for record in records if record["unit"]), None)
    unit = known["unit"] if known else "fraction"
    higher = known is None or known["higher_is_better"] is not False
    sample = _sample(done, unit)
    shares = [r["commonest"]["share"] for r in done if r.get("commonest")]
    return Entry(
        metric,
        {_seeds(record): record["value"] for record in done},
        sample,
        summary(sample, unit),
        len(records),
        dict(Counter(record["status"] for record in missing)),
        tuple(_seeds(record) for record in missing),
        "; ".join(reasons) if records else "no cell of this grid",
        unit,
        higher,
        known["n"] if known else None,
        tuple(sorted({record["signature"] for record in records if record["signature"]})),
        _floors(done, higher),
        math.fsum(shares) / len(shares) if shares else None,
        leaked=next((record["leaked"] for record in done if record.get("leaked")), None),
        clean=_clean(done, unit),
        choices=selection.choices(done),
    )


def _clean(done: Sequence[Record], unit: str) -> Clean | None:
    """The number without leaked rows; None unless every run has it, and one has such rows."""
    # What is known of single examples is of all of them, unless the clean ones' own are on file.
    runs = [
        {**record, "effects": None, **record["clean"]} for record in done if record.get("clean")
    ]
    if not runs or len(runs) < len(done):
        return None
    n = min(run["n"] for run in runs)
    found = max(record["n"] - record["clean"]["n"] for record in done)
    said = summary(_sample(runs, unit), unit)
    return Clean(said, n, found, len(runs)) if said and found else None


def _seeds(record: Record) -> Seeds:
    return record["pretrain_seed"], record["finetune_seed"]


def _sample(done: Sequence[Record], unit: str) -> Sample:
    log = unit == "ppl"
    return Sample(
        {_seeds(r): math.log(r["value"]) if log else r["value"] for r in done},
        {_seeds(r): r["effects"] for r in done if r.get("effects") is not None},
        {r["pretrain_seed"]: r.get("pretrain") or "" for r in done},
    )


def _floors(done: Sequence[Record], higher: bool) -> dict[str, float]:
    """Each floor at its hardest over the runs."""
    best = max if higher else min
    found: dict[str, float] = {}
    for record in done:
        floors: Mapping[str, float] = record.get("floors") or {}
        for name, value in floors.items():
            found[name] = best(found.get(name, value), value)
    return found


def summary(sample: Sample, unit: str) -> Summary | None:
    """Mean, spread and interval of runs; None where there is none."""
    if not sample.values:
        return None
    back = items.scale(unit).back
    found = sample.means
    n, mean = len(found.value_P), found.mean
    if n < 2:
        values = list(sample.values.values())
        if len(values) < 2:
            return Summary(1, back(mean))
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
        return Summary(1, back(mean), _shown(spread, mean, unit), over="finetuning seeds")
    error = samples.error(sample)
    if error is None:
        return Summary(n, back(mean), 0.0, alike=True)
    spread = math.sqrt(found.seeds * n)
    low, high = interval(mean, error, unit)
    return Summary(
        n,
        back(mean),
        _shown(spread, mean, unit),
        low,
        high,
        estimand=statistics.TEXTS if error.examples is not None else statistics.TEST_SET,
        fixed=interval(mean, error.fixed, unit),
    )


def _shown(spread: float, mean: float, unit: str) -> float:
    """A deviation in shown units: of a perplexity's logarithm it is a share of the mean."""
    return spread * math.exp(mean) if unit == "ppl" else spread


def interval(
    mean: float, error: Error, unit: str, level: float = statistics.LEVEL
) -> tuple[float, float]:
    """The interval around a mean, in shown units: a fraction's within 0..100."""
    half = error.quantile(1 - level) * error.deviation
    if unit == "fraction" and 0 < mean < 100:
        share = mean / 100
        low, high = statistics.wilson(share, (half / 100) ** 2 / (share * (1 - share)))
        return 100 * low, 100 * high
    back = items.scale(unit).back
    low, high = back(mean - half), back(mean + half)
    return (low if unit == "ppl" else max(0.0, low)), (
        min(100.0, high) if unit == "fraction" else high
    )


def examples(entry: Entry, level: float = statistics.LEVEL) -> tuple[float, float] | None:
    """The interval over examples of the models that were trained, whatever their seeds.

    It says nothing of another seed. None where nothing is known of single examples.
    """
    if entry.summary is None:
        return None
    found = entry.sample.means
    if found.effect_PG is None:
        return None
    mean, count = found.mean, found.effect_PG.shape[1]
    variance = float((found.effect_PG.mean(0) ** 2).sum())
    if variance > 0:
        return interval(mean, Error(variance, count - 1), entry.unit, level)
    if entry.unit != "fraction":
        return None
    z = statistics.student(1 - level, count - 1)
    low, high = statistics.wilson(min(max(mean / 100, 0.0), 1.0), z * z / count)
    return 100 * low, 100 * high


def averaged(
    filled: Mapping[str, tuple[Entry, ...]],
    columns: Sequence[Column],
) -> Entry:
    """The mean over the table's tasks, run by run; a run counts only if every task and metric has
    its number."""
    wanted = max((entry.wanted for entries in filled.values() for entry in entries), default=0)
    entries = [entry for column in columns for entry in filled[column.id]]
    empty = [c.id for c in columns if not all(entry.runs for entry in filled[c.id])]
    if empty or not entries:
        return Entry("avg", wanted=wanted, reason=f"no average without {_listed(empty)}")
    units = {entry.unit for entry in entries}
    if len(units) > 1:
        return Entry("avg", wanted=wanted, reason=f"no average over units {_listed(units)}")
    (unit,) = units
    sample = mean_of(
        entries, [1 / len(c.metrics) / len(columns) for c in columns for _ in c.metrics]
    )
    back = items.scale(unit).back
    lost = dict.fromkeys(run for entry in entries for run in (*entry.lost, *entry.runs))
    states: Counter[str] = Counter()
    if len(sample.values) < wanted:
        states["incomplete"] = wanted - len(sample.values)
    return Entry(
        "avg",
        {run: back(value) for run, value in sample.values.items()},
        sample,
        summary(sample, unit),
        wanted,
        states,
        tuple(run for run in lost if run not in sample.values),
        "a seed without all of its tasks does not enter the average",
        unit,
        entries[0].higher_is_better,
    )


def mean_of(entries: Sequence[Entry], weights: Sequence[float]) -> Sample:
    """The weighted mean of several entries, run by run."""
    return samples.mixed([entry.sample for entry in entries], weights)


def floored(metric: str, entries: Iterable[Entry]) -> Entry:
    """The highest floor of a column as an entry."""
    known = [entry for entry in entries if entry.floor]
    if not known:
        return Entry(metric, reason="no floor was computed")
    unit, higher = known[0].unit, known[0].higher_is_better
    best = max if higher else min
    common = [
        (name, value) for e in known for name, value in e.floors.items() if name != "shuffled"
    ]
    if not common:
        return Entry(metric, reason="no floor was computed")
    name, value = best(common, key=lambda item: item[1])
    return Entry(
        metric,
        summary=Summary(1, value),
        unit=unit,
        higher_is_better=higher,
        floors={name: value},
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
