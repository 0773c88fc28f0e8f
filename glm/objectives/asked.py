"""How a model of ours is asked, kept beside its weights in `asked.json`.

{"layout": {"kind": "blank", "inner": true, ...}, "sentinels": 0}
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glm.objectives.layout import Layout
from tasks.errors import UserError

FILE = "asked.json"


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
    try:
        kept = json.loads((folder / FILE).read_text())
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in kept["layout"].items()
        }
        return Asked(Layout(**values), int(kept["sentinels"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / FILE}: not what says how a model is asked ({error})") from None
