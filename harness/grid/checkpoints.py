"""A row's checkpoint as a system: found, its kind read, and its step in pretraining's place."""

from dataclasses import replace
from pathlib import Path

from ablations.systems import Checkpoint, Variant
from glm.objectives.elsewhere import Elsewhere, elsewhere
from harness.errors import UserError
from harness.steps import checkpoint
from harness.steps.step import Step, slug


def system(name: str, revision: str, beside: Path, get: str = "") -> Variant:
    """The system that a row names: a path (relative to the grid's file), or a name of the hub.

    Of a name of the hub only the configuration has to be at hand for this. Where `get` says how it
    is got, it is a path and no name.
    """
    path = beside / name
    if path.exists():
        if revision:
            raise UserError(f"{path} is a folder: its content is its revision, leave that out")
        place = Checkpoint(name, "", str(path.absolute()))
    elif get:
        raise UserError(f"checkpoint {path} is not there: {get}")
    else:
        from glm.models.huggingface.checkpoint import locate

        found, commit = locate(name, revision, whole=False)
        path, place = found, Checkpoint(name, commit, str(found))
    objective = elsewhere(path)
    label = Path(name).name + (f" @{place.revision[:8]}" if revision else "")
    known = f"{name}@{revision}" if revision else name
    return Variant(known, label, objective, checkpoint=place)


def step(variant: Variant) -> Step[checkpoint.Checkpoint]:
    """The step that finds a system's checkpoint."""
    place, objective = variant.checkpoint, variant.objective
    assert place is not None and isinstance(objective, Elsewhere)
    held = {} if place.revision else checkpoint.content(Path(place.path))
    spec = checkpoint.Checkpoint(objective, Path(place.name).name, place.revision, held)
    if place.revision:
        spec = replace(spec, name=place.name)
    return Step("checkpoint", slug(spec.name), spec, how={"path": place.path})
