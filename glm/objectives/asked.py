"""How a model of ours is asked, kept beside its weights in `asked.json`.

{"layout": {"kind": "blank", "inner": true, ...}, "sentinels": 0}
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glm.objectives.layout import Layout
from tasks.source import outside

FILE = "asked.json"
WHAT = "what says how a model is asked"
MOST_SENTINELS = 100_000


@dataclass(frozen=True)
class Asked:
    """The layout of the model's inputs, and how many pairs of sentinels it was trained with."""

    layout: Layout
    sentinels: int = 0


def write(folder: Path, asked: Asked) -> None:
    """Keep `asked` in `folder`."""
    (folder / FILE).write_text(json.dumps(asdict(asked), indent=1) + "\n")


def read(folder: Path) -> Asked | None:
    """What `write` kept; None where nothing was."""
    path = folder / FILE
    if not path.is_file():
        return None
    kept = outside.json_value(path, dict, WHAT)
    with outside.parsing(path, WHAT):
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in kept["layout"].items()
        }
        sentinels = int(kept["sentinels"])
        if not 0 <= sentinels <= MOST_SENTINELS:
            raise ValueError(f"{sentinels} pairs of sentinels: at most {MOST_SENTINELS}")
        return Asked(Layout(**values), sentinels)
