"""Predictions on disk: one parquet row per question, with everything that a metric reads."""

import json
from collections.abc import Sequence
from pathlib import Path

from tasks.spec import Answer


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
