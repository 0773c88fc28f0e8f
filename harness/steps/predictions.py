"""Predictions on disk: one parquet row per question, with everything that a metric reads.

Beside the scores lies what the metrics made of every answer: `items.parquet`, whose columns are
id, cluster (answers about one text share it) and METRIC/0, METRIC/1, ..., the numbers whose sums
the metric is a function of (`tasks.sums`).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.spec import Answer
from tasks.sums import Rows

# The files of answers: with the weights that are reported, on the rows that settings are chosen on,
# and with the last weights of a training that kept earlier ones.
CHOSEN = "predictions.parquet"
SELECT = "predictions.select.parquet"
LAST = "predictions.last.parquet"


def write(path: Path, answers: Sequence[Answer]) -> None:
    """Write answers in the order given. `values` is kept as JSON: its names differ by task."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("group", pa.string()),
            ("candidates", pa.list_(pa.string())),
            ("scores", pa.list_(pa.float64())),
            ("choice", pa.int32()),
            ("gold", pa.list_(pa.int32())),
            ("text", pa.string()),
            ("references", pa.list_(pa.string())),
            ("values", pa.string()),
        ]
    )
    rows = [
        {
            "id": answer.id,
            "group": answer.group,
            "candidates": list(answer.candidates),
            "scores": [float(score) for score in answer.scores],
            "choice": answer.choice,
            "gold": list(answer.gold),
            "text": answer.text,
            "references": list(answer.references),
            "values": json.dumps(dict(answer.values), sort_keys=True),
        }
        for answer in answers
    ]
    parquet.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")


def read(path: Path) -> list[Answer]:
    """The answers that `write` wrote."""
    from pyarrow import parquet

    return [
        Answer(
            id=row["id"],
            group=row["group"],
            candidates=tuple(row["candidates"]),
            scores=tuple(row["scores"]),
            choice=row["choice"],
            gold=tuple(row["gold"]),
            text=row["text"],
            references=tuple(row["references"]),
            values=json.loads(row["values"]),
        )
        for row in parquet.read_table(path).to_pylist()
    ]


def write_items(
    path: Path, answers: Sequence[Answer], clusters: Sequence[str], statistics: Mapping[str, Rows]
) -> None:
    """Write each answer's statistics by metric, in the order of the answers."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"id": [answer.id for answer in answers], "cluster": list(clusters)}
    table = pa.table(columns, pa.schema([("id", pa.string()), ("cluster", pa.string())]))
    for metric, rows in statistics.items():
        for index, column in enumerate(zip(*rows, strict=True)):
            table = table.append_column(f"{metric}/{index}", pa.array(column, pa.float64()))
    parquet.write_table(table, path, compression="zstd")
