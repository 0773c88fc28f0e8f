"""A finished pretraining as a folder for others: `python -m harness export STEP DIR`.

A causal model equals GPT-2, and is written so that `transformers` loads it. The others have no
equal there: GLM's second positions and spans, BERT's table tied without a transform below it (the
library's pre-LN encoders have one, or norm their embeddings). These become a folder that a grid's
`checkpoint` reads.
"""

from pathlib import Path

from glm.objectives import asked
from harness.errors import UserError


def export(step: str, out: Path, root: Path) -> str:
    """Write the pretraining `step` of the store at `root` to `out`; returns a line about it.

    `step` is its folder, or the beginning of its name below `pretrain/`.
    """
    from glm.models import gpt2
    from glm.models.transformer import Transformer
    from glm.training import opening
    from glm.training.checkpoints import load

    folder = _found(step, root)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is there already: name a folder that is not")
    given = opening.opened(folder)
    model = load(folder).model
    out.mkdir(parents=True, exist_ok=True)
    causal = given.layout.kind == "causal" and not model.shape.inner
    if causal and isinstance(model, Transformer):
        gpt2.write(out, model, given.tokenizer)
        return f"{out}: a GPT-2 of {model.shape.parameters():,} parameters, for transformers"
    opening.write(out, model, given.plain, asked.read(folder) or asked.Asked(given.layout))
    return f"{out}: {model.shape.parameters():,} parameters, for a row {{checkpoint: {out}}}"


def _found(step: str, root: Path) -> Path:
    folder = Path(step)
    if (folder / "checkpoint.json").is_file():
        return folder
    name = step.removeprefix("pretrain/")
    there = sorted(
        path for path in (root / "pretrain").glob("*") if (path / "checkpoint.json").is_file()
    )
    found = [path for path in there if path.name.startswith(name) or path.name.endswith(name)]
    if len(found) != 1:
        among = ", ".join(path.name for path in found or there) or "none"
        what = "several pretrainings are" if found else "no finished pretraining is"
        raise UserError(f"{root}: {what} called {step!r}: {among}")
    return found[0]
