"""What a grid may name, a line each with what it means: `python -m harness list`."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ablations.recipes import Finetuning, Pretraining
from ablations.scale import SCALES
from ablations.settings import Setting, settings
from harness.code.catalogue import Catalogue
from harness.grid.check import OF_SCALE, OF_VARIANT
from harness.grid.load import SHIPPED

Lines = Iterator[tuple[str, str]]


def listing(kind: str | None = None, known: Catalogue = SHIPPED) -> str:
    """The names of a kind, or of every kind under its heading."""
    kinds = (kind,) if kind else tuple(LISTS)
    parts = []
    for each in kinds:
        lines = list(LISTS[each](known))
        width = max(len(name) for name, _ in lines)
        text = "".join(f"{name.ljust(width)}  {says}".rstrip() + "\n" for name, says in lines)
        parts.append(text if kind else f"{each}\n" + _indented(text))
    return "\n".join(parts)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _systems(known: Catalogue) -> Lines:
    for name, variant in known.systems.items():
        size = f"{variant.layers} x {variant.hidden}"
        yield name, f"{variant.label}; {size}; learns {type(variant.objective).__name__}"


def _tasks(known: Catalogue) -> Lines:
    for name, task in known.tasks.items():
        yield name, f"{task.title}; asked as {', '.join(task.styles)}"
    for name, tasks in known.groups.items():
        yield name, f"a group: {', '.join(tasks)}"


def _styles(known: Catalogue) -> Lines:
    for name, needs in known.requirements.items():
        yield name, f"{needs.says}; for systems that can be asked for {needs.serves}"


def _scales(known: Catalogue) -> Lines:
    return ((name, scale.says) for name, scale in SCALES.items())


def _recipes(known: Catalogue) -> Lines:
    return ((name, recipe.says) for name, recipe in known.recipes.items())


def _settings(known: Catalogue) -> Lines:
    yield from _told("overrides: ", OF_SCALE)
    yield from _told("finetune: ", settings(Finetuning))
    yield from _told("set: pretrain.", settings(Pretraining))
    yield from _told("set: variant.", OF_VARIANT)


def _told(where: str, those: Mapping[str, Setting]) -> Lines:
    for name, setting in those.items():
        yield f"{where}{name}", f"{setting.says} ({_range(setting.schema())})"


def _range(schema: Mapping[str, Any]) -> str:
    """A setting's values in words: "integer, at least 1, at most 512"."""
    if "anyOf" in schema:
        return " or ".join(_range(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    bounds = {
        "exclusiveMinimum": "above",
        "minimum": "at least",
        "exclusiveMaximum": "below",
        "maximum": "at most",
    }
    words = [f"{said} {schema[key]}" for key, said in bounds.items() if key in schema]
    kind = "N/M" if "pattern" in schema else str(schema.get("type", "any"))
    return ", ".join([kind, *words])


def _metrics(known: Catalogue) -> Lines:
    found: dict[str, list[str]] = {}
    for task in known.tasks:
        for name in known.measures(task):
            found.setdefault(name, []).append(task)
    return ((name, f"of {', '.join(tasks)}") for name, tasks in found.items())


def _tables(known: Catalogue) -> Lines:
    for name, table in known.tables.items():
        rows = ", ".join(row.id for row in table.rows if row.variant)
        columns = ", ".join(column.id for column in table.columns)
        yield name, f"{table.title}; rows {rows}; columns {columns}"


def _objectives(known: Catalogue) -> Lines:
    kinds = {type(variant.objective): None for variant in known.systems.values()}
    named = {kind.__name__: kind for kind in kinds} | dict(known.objectives)
    for name, objective in named.items():
        said = (inspect.getdoc(objective) or "").partition("\n")[0]
        yield name, said


LISTS = {
    "systems": _systems,
    "tasks": _tasks,
    "styles": _styles,
    "scales": _scales,
    "recipes": _recipes,
    "settings": _settings,
    "metrics": _metrics,
    "tables": _tables,
    "objectives": _objectives,
}
