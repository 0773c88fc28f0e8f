"""What finetuning and zero-shot steps read, ask for and write; the learning is glm's.

The questions of a split go through a style; answers and what they cost come out.
"""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glm.adaptation import finetuning
from glm.adaptation.finetuning import Adapted, Batches
from glm.adaptation.items import Item
from glm.adaptation.styles import Style, styled
from glm.objectives.layout import Layout
from glm.objectives.objective import Objective
from glm.training import checkpoints, loop
from glm.training.device import device_of, name_of
from glm.training.opening import Opened, opened, pretrained
from glm.training.optimisation import Optimisation
from glm.training.patience import Patience
from harness.code import catalogue
from harness.errors import Diverged
from harness.steps import predictions
from harness.steps.checkpoint import referred
from harness.steps.dataset import read_rows
from harness.steps.halves import half
from harness.steps.kept import WEIGHTS
from harness.steps.predictions import CHOSEN, LAST, SELECT
from harness.steps.step import Work
from tasks import shots
from tasks.atomic import write_facts
from tasks.blind import blinded
from tasks.errors import UserError
from tasks.spec import How, Question, questions

if TYPE_CHECKING:
    from harness.steps.finetune import Finetune, ZeroShot


def load(work: Work, objective: Objective) -> Opened:
    """The pretrained model on its device, and its tokenizer, with sentinels if it knows them."""
    device = device_of(work.machine.device)
    elsewhere = referred(work.inputs["pretrain"])
    if elsewhere is not None:
        names = {"name": elsewhere["name"], "revision": elsewhere["revision"]}
        return opened(elsewhere["path"], device, **names)
    return pretrained(work.inputs["pretrain"], work.inputs["tokenizer"], objective, device)


def _fit(style: str, work: Work, layout: Layout) -> None:
    """Refuse what a checkpoint turns out not to be able to answer."""
    needed = catalogue.of_step(work.how).requirements[style].serves
    if needed not in layout.serves:
        raise UserError(
            f"this checkpoint cannot be asked as {style}: that needs {needed}, and it can be asked "
            f"for {' or '.join(layout.serves)}"
        )


def run(spec: "Finetune", work: Work) -> None:
    """Finetune and predict; see `Finetune.run`."""
    given, device = load(work, spec.objective), device_of(work.machine.device)
    _fit(spec.style, work, given.layout)
    questions = _labelled(ask(spec, work, "train", train=True), spec, "training")
    adapted = finetuning.to_train(
        given,
        _style(spec, work, given.layout),
        questions,
        # Where positions go on after the source, the answer's come on top of the source's.
        longest=spec.max_length + spec.target_length * given.layout.goes_on,
        dropout=spec.dropout,
        seed=spec.seed,
        device=device,
        precision=spec.precision,
    )
    items = adapted.encode(questions)
    ledger, patience = _trained(spec, work, adapted, items)
    answered = _answered(spec, work, adapted, patience, int(ledger["steps"]))
    if work.how.get("keep_weights"):  # of the model that has answered
        learner = adapted.learner
        checkpoints.save(work.folder / WEIGHTS, learner.model, head=learner.head)
    facts: dict[str, object] = {"device": name_of(device), "questions": len(items)}
    facts["asked"] = {split: len(encoded) for split, encoded in answered.items()}
    facts["cut"] = {s: _cut(encoded) for s, encoded in {"training": items, **answered}.items()}
    if patience is not None:
        facts["patience"] = {"losses": patience.losses, "best": patience.best}
    write_facts(work.folder / "ledger.json", {**ledger, **facts})
    for begun in ("checkpoint", "best"):
        shutil.rmtree(work.folder / begun, ignore_errors=True)


def _trained(
    spec: "Finetune", work: Work, adapted: Adapted, items: Sequence[Item]
) -> tuple[dict[str, float], Patience | None]:
    """Train on the items; returns the ledger, and what has looked at dev where that was wished."""
    batches = Batches(spec.batch, work.machine.micro_batch, spec.seed)
    per_epoch = batches.per_epoch(items)
    patience = None
    if spec.patience:
        asked_on = ask(spec, work, "dev", train=True, part="select" if spec.split == "dev" else "")
        held_back = adapted.encode(_labelled(asked_on, spec, "dev"))
        looks = batches.held_back(adapted, held_back)
        patience = Patience(work.folder / "best", per_epoch, spec.patience, looks)
    work.log("micro_batch", rows=work.machine.micro_batch or spec.batch)
    ledger = loop.train(
        adapted.learner,
        batches.pieces(adapted, items),
        _optimisation(spec, spec.epochs * per_epoch),
        work,
        seed=spec.seed,
        checkpoint_seconds=work.machine.checkpoint_seconds,
        patience=patience,
    )
    return ledger, patience


def _answered(
    spec: "Finetune", work: Work, adapted: Adapted, patience: Patience | None, steps: int
) -> dict[str, list[Item]]:
    """Write every file of answers after a training of so many steps; returns what was asked."""

    def predicted(split: str, file: str) -> list[Item]:
        items = adapted.encode(ask(spec, work, split, train=False))
        try:
            answers = adapted.answers(items)
        except FloatingPointError as error:
            raise Diverged(steps, {"predicting": str(error)}) from None
        predictions.write(work.folder / file, answers)
        work.log("predicted", split=split, questions=len(answers))
        return items

    # The last weights answer first, where others were kept that were better.
    if patience is not None:
        if spec.last and not patience.at_best:
            predicted(spec.split, LAST)
        patience.restore(adapted.learner.model, adapted.learner.head)
    found = {spec.split: predicted(spec.split, CHOSEN)}
    if spec.select_on:
        found[spec.select_on] = predicted(spec.select_on, SELECT)
    if spec.last and not (work.folder / LAST).is_file():
        shutil.copyfile(work.folder / CHOSEN, work.folder / LAST)
    return found


def _labelled(asked: Sequence[Question], spec: "Finetune", split: str) -> list[Question]:
    """The questions that have an answer; a `UserError` where none has."""
    kept = [q for q in asked if getattr(q, "gold", ()) or getattr(q, "targets", ())]
    if not kept:
        raise UserError(f"{spec.task}: the {split} split has no labelled question")
    return kept


def _style(spec: "Finetune", work: Work, layout: Layout) -> Style:
    """The spec's style with the spec's settings."""
    decoding = spec.decoding
    return styled(
        catalogue.of_step(work.how).styles[spec.style],
        layout=layout,
        pool="last" if layout.kind == "causal" else "cls",
        dropout=spec.dropout,
        label_smoothing=spec.label_smoothing,
        source=spec.max_length,
        target=spec.target_length,
        beams=decoding.beams,
        length_penalty=decoding.length_penalty,
        min_length=decoding.min_length,
        ngram=decoding.no_repeat_ngram,
    )


def zero_shot(spec: "ZeroShot", work: Work) -> None:
    """Predict with the pretrained model as it is; see `ZeroShot.run`."""
    given = load(work, spec.objective)
    _fit(spec.style, work, given.layout)
    style = styled(
        catalogue.of_step(work.how).styles[spec.style],
        layout=given.layout,
        window=spec.window - 1,
        stride=spec.stride,
    )
    adapted = finetuning.as_it_is(given, style, device_of(work.machine.device), spec.precision)
    items = adapted.encode(_prompted(spec, work, ask(spec, work, spec.split, train=False)))
    answers = adapted.answers(items)
    predictions.write(work.folder / CHOSEN, answers)
    facts = {"asked": {spec.split: len(items)}, "cut": {spec.split: _cut(items)}}
    write_facts(work.folder / "ledger.json", facts)
    work.log("predicted", split=spec.split, questions=len(answers))


def _prompted(spec: "ZeroShot", work: Work, asked: Sequence[Question]) -> Sequence[Question]:
    """The questions after the spec's shots."""
    if not spec.shots:
        return asked
    known = catalogue.of_step(work.how)
    way = known.requirements[spec.style].asks
    how = How(way, True, spec.pattern, spec.mode, options=spec.options)
    rows = list(read_rows(work.inputs["dataset"] / "train.jsonl"))
    examples = shots.drawn(known.tasks[spec.task], rows, how, spec.shots, spec.seed)
    return [shots.prompted(q, examples) for q in asked]


def _cut(items: Sequence[Item]) -> int:
    """How many questions were cut to fit."""
    return sum(item.cut > 0 for item in items)


def ask(
    spec: "Finetune | ZeroShot", work: Work, split: str, *, train: bool, part: str = ""
) -> list[Question]:
    """The questions of a split, or of one half of its clusters, in file order."""
    known = catalogue.of_step(work.how)
    way = known.requirements[spec.style].asks
    how = How(way, train, getattr(spec, "pattern", 0), spec.mode, options=spec.options)
    task = known.tasks[spec.task]
    rows = read_rows(work.inputs["dataset"] / f"{split}.jsonl")
    kept = [not part or half(task.cluster(row)) == part for row in rows]
    if getattr(spec, "blind", False):
        rows = blinded(task, rows, getattr(spec, "seed", 0))
    return [q for row, mine in zip(rows, kept) if mine for q in questions(task, row, how)]


def _optimisation(spec: "Finetune", steps: int) -> Optimisation:
    return Optimisation(
        steps=steps,
        lr=spec.lr,
        warmup_steps=round(steps * spec.warmup),
        decay_steps=steps,
        decay=spec.decay,
        floor=spec.floor,
        weight_decay=spec.weight_decay,
        betas=spec.betas,
        eps=spec.eps,
        clip=spec.clip,
    )
