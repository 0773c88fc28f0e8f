"""The JSON Schema of grids, for editors: every key with its meaning, type, bounds and names."""

from collections.abc import Iterable, Mapping
from typing import Any

from ablations.recipes import Finetuning, Pretraining
from ablations.scale import SCALES
from ablations.settings import Setting, settings
from harness.code.catalogue import Catalogue
from harness.grid.check import OF_SCALE, OF_VARIANT
from harness.grid.load import SHIPPED
from harness.grid.schema import Grid, InlineColumn, InlineRow, InlineTable, TablePart
from harness.steps import KINDS

NEEDED = {"InlineTable": ["id", "rows", "columns"], "InlineRow": ["variant"]}
NEEDED |= {"InlineColumn": ["task"]}


def json_schema(known: Catalogue = SHIPPED) -> dict[str, Any]:
    """The schema of a grid that may name what the catalogue has."""
    made = Grid.model_json_schema()
    for model in (InlineTable, TablePart, InlineRow, InlineColumn):
        made["$defs"][model.__name__] = model.model_json_schema()
    for name, keys in NEEDED.items():
        made["$defs"][name]["required"] = keys

    _names(made, known)
    _values(made, known)
    made["required"] = ["tables"]
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "grid.yaml"
    return made


def _names(made: dict[str, Any], known: Catalogue) -> None:
    """Put in what there is, wherever a name is wanted."""
    top = made["properties"]
    table, row, column = (made["$defs"][name]["properties"] for name in NEEDED)
    top["scale"]["enum"], top["recipe"]["enum"] = list(SCALES), list(known.recipes)
    _either(top["tables"], known.tables, "InlineTable", "TablePart")
    part = made["$defs"]["TablePart"]["properties"]
    part["table"]["enum"] = list(known.tables)
    _either(table["rows"], known.systems, "InlineRow")
    _either(table["columns"], [*known.tasks, *known.groups], "InlineColumn")
    row["variant"]["enum"] = list(known.systems)
    row["style"]["enum"] = ["", *known.requirements]
    column["task"]["enum"] = [*known.tasks, *known.groups]
    for key in ("gpus", "time_limit"):
        by_kind = made["$defs"]["MachineSettings"]["properties"][key]
        by_kind["propertyNames"] = {"enum": list(KINDS)}
    made["$defs"]["Data"]["properties"]["files"]["propertyNames"] = {"enum": list(known.tasks)}


def _values(made: dict[str, Any], known: Catalogue) -> None:
    """Put in the settings and options that a mapping may have, with their types and bounds."""
    top, tuned = made["properties"], settings(Finetuning)
    row, column = (made["$defs"][n]["properties"] for n in ("InlineRow", "InlineColumn"))
    _settings(top["overrides"], OF_SCALE)
    _settings(top["finetune"], tuned)
    swept = made["$defs"]["Sweep"]["properties"]["parameters"]
    _settings(swept, tuned)
    for name, one in swept["properties"].items():
        swept["properties"][name] = {
            "type": "array",
            "minItems": 1,
            "items": one,
            "description": f"values to try: {one['description']}",
        }
    scoped = {f"variant.{name}": each for name, each in OF_VARIANT.items()}
    scoped |= {f"pretrain.{name}": each for name, each in settings(Pretraining).items()}
    _settings(row["set"], scoped | tuned)
    row["set"]["properties"] |= {
        "mode": {"type": "string", "description": "how a task is asked, where it has several ways"},
        "pattern": {"type": "integer", "minimum": 0, "description": "which wording of a cloze"},
    }
    row["set"]["patternProperties"] = {
        r"^objective\.": {"description": "a field of the system's objective"},
        r"^finetune\.": {"description": "a finetuning setting"},
        r"^options\.": {"description": "an option of the tasks"},
    }
    _options(column["options"], known)


def _either(of: dict[str, Any], names: Iterable[str], *written: str) -> None:
    """A list of names and of mappings, written as one of the definitions."""
    named = {"type": "string", "enum": list(names)}
    of["items"] = {"anyOf": [named, *({"$ref": f"#/$defs/{each}"} for each in written)]}
    of["minItems"] = 1


def _settings(of: dict[str, Any], known: Mapping[str, Setting]) -> None:
    """A mapping of settings, and nothing else."""
    of["properties"] = {name: setting.schema() for name, setting in known.items()}
    of["additionalProperties"] = False


def _options(of: dict[str, Any], known: Catalogue) -> None:
    modes = {m for task in known.tasks.values() for each in task.modes.values() for m in each}
    of["properties"] = {
        "mode": {"enum": sorted(modes), "description": "how the task is asked"},
        "pattern": {"type": "integer", "minimum": 0, "description": "which wording of a cloze"},
    }
    for task in known.tasks.values():
        for name, type in task.takes.items():
            of["properties"][name] = Setting.read(name, type).schema()
    levels = sorted({level for task in known.tasks.values() for level in task.levels})
    of["properties"]["level"] = {"enum": levels, "description": "of the built-in world's rows"}
