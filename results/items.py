"""Items: what every example added to a run's metric, read from `items.parquet` beside the scores.

From them come a run's *effects*: how much the value moves when one cluster of examples (answers
about one text) is left out, scaled so that their squares add up to the jackknife's variance of the
value over examples.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.scores import Manifest, inside, unsound
from tasks.sums import COMBINATIONS

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects by cluster; `labels` name the clusters, in the order of `values_G`."""

    labels: tuple[str, ...]
    values_G: "np.ndarray"


@dataclass(frozen=True)
class Scale:
    """Where a unit's differences are taken: shown values there and back."""

    to: Callable[[Any], Any]
    back: Callable[[float], float]


def _percent(value: Any) -> Any:
    return 100.0 * value


def _same(value: Any) -> Any:
    return value


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))  # what is larger is no number any more


def _log(value: Any) -> Any:
    import numpy as np

    return np.log(value)


# A metric's own values -> where they are averaged and compared: points, or the log of perplexity.
SCALES: Mapping[str, Scale] = {
    "fraction": Scale(_percent, _same),
    "ppl": Scale(_log, _exp),
    "bits": Scale(_same, _same),
}

# Beyond which no difference of two values can be, on the unit's scale.
LIMITS: Mapping[str, float] = {"fraction": 100.0}


def scale(unit: str) -> Scale:
    """The scale of a unit; of an unknown one, as it is."""
    return SCALES.get(unit, Scale(_same, _same))


def effects(sums_GK: "np.ndarray", labels: tuple[str, ...], combine: str, unit: str) -> Effects:
    """The effects of clusters whose statistics sum to `sums_GK`, on the unit's scale.

    A value that is not defined without a cluster is taken as not moved by it.
    """
    import numpy as np

    to, value = scale(unit).to, COMBINATIONS[combine]
    whole = sums_GK.sum(0)
    with np.errstate(divide="ignore"):
        moved_G = to(value(whole)) - to(value(whole - sums_GK))
    moved_G = np.where(np.isfinite(moved_G), moved_G, 0.0)
    count = len(sums_GK)
    return Effects(labels, (moved_G - moved_G.mean()) * math.sqrt((count - 1) / count))


def weighted(parts: Sequence[tuple[float, Effects]]) -> Effects:
    """The effects of a weighted sum of values; a cluster that several share counts once."""
    import numpy as np

    labels = parts[0][1].labels
    if all(part.labels is labels or part.labels == labels for _, part in parts):
        return Effects(labels, np.sum([weight * part.values_G for weight, part in parts], axis=0))
    union = tuple(dict.fromkeys(label for _, part in parts for label in part.labels))
    place = {label: index for index, label in enumerate(union)}
    total_G = np.zeros(len(union))
    for weight, part in parts:
        total_G[[place[label] for label in part.labels]] += weight * part.values_G
    return Effects(union, total_G)


def attached(grid: Manifest, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, those with a number and with statistics on file together with their effects;
    so too their numbers without leaked rows.

    Every folder is read once; runs over the same clusters share one tuple of labels.
    """
    tables: dict[str, _Sums | None] = {}
    labels: dict[tuple[str, ...], tuple[str, ...]] = {}

    def known(folder: str, record: Mapping[str, Any]) -> dict[str, Effects]:
        if folder not in tables:
            tables[folder] = _read(grid, folder, record["task"])
        read = tables[folder]
        if read is None or record["metric"] not in read.sums:
            return {}
        named = labels.setdefault(read.labels, read.labels)
        sums_GK = read.sums[record["metric"]]
        return {"effects": effects(sums_GK, named, record["combine"], record["unit"])}

    found = []
    for record in records:
        if record["status"] == "done" and record.get("combine") in COMBINATIONS:
            record = {**record, **known(record.get("score") or "", record)}
            if record.get("clean"):
                clean = record["clean"]
                record["clean"] = {**clean, **known(clean["score"], record)}
        found.append(record)
    return found


@dataclass(frozen=True, eq=False)
class _Sums:
    """The statistics of one run summed over each cluster, by metric."""

    labels: tuple[str, ...]
    sums: "Mapping[str, np.ndarray]"


def _read(grid: Manifest, folder: str, task: str) -> _Sums | None:
    """The sums of a score folder; None without a readable file or with a single cluster."""
    path = inside(grid.store, folder)
    if path is None or unsound(grid.store, folder, "items.parquet"):
        return None
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path / "items.parquet").read(use_threads=False)
        clusters = table.column("cluster").to_pylist()
        # By DLPack: pyarrow's own to_numpy would import pandas.
        columns = {
            name: np.from_dlpack(table.column(name).combine_chunks())
            for name in table.column_names
            if "/" in name
        }
    except (OSError, KeyError, pyarrow.ArrowException):
        return None
    place: dict[str, int] = {}
    at = np.array([place.setdefault(cluster, len(place)) for cluster in clusters], dtype=int)
    if len(place) < 2:
        return None
    stacked: dict[str, list[np.ndarray]] = {}
    for name, column in columns.items():
        sums_G = np.bincount(at, weights=column, minlength=len(place))
        stacked.setdefault(name.rpartition("/")[0], []).append(sums_G)
    sums = {metric: np.stack(parts, axis=1) for metric, parts in stacked.items()}
    return _Sums(tuple(f"{task}\n{cluster}" for cluster in place), sums)
