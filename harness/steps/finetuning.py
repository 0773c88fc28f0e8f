"""The torch side of finetuning and zero-shot steps: questions through a style and the one loop."""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from glm.adaptation.items import Item
from glm.adaptation.styles import Style
from glm.data import tokenizer as tokens
from glm.data.special import with_sentinels
from glm.data.tokenizer import Tokenizer
from glm.models.backbone import Backbone, together
from glm.objectives.layout import Layout
from glm.objectives.objective import Objective
from glm.training import checkpoints, loop
from glm.training.opening import Opened, opened
from glm.training.optimisation import Optimisation
from glm.training.patience import Patience
from glm.training.pieces import Piece
from harness.code import catalogue
from harness.errors import Diverged
from harness.steps import predictions
from harness.steps.checkpoint import referred
from harness.steps.dataset import read_rows
from harness.steps.halves import half
from harness.steps.predictions import CHOSEN, LAST, SELECT
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.blind import blinded
from tasks.errors import UserError
from tasks.spec import How, Question, questions

if TYPE_CHECKING:
    from harness.steps.finetune import Finetune, ZeroShot

AT_ONCE = 8192  # positions of one forward pass in training, unless a micro-batch is set


def styled(style: Any, **settings: Any) -> Style:
    """The style with those of `settings` that it knows."""
    known = {each.name for each in fields(style)}
    return replace(style, **{name: value for name, value in settings.items() if name in known})


def load(work: Work, objective: Objective) -> Opened:
    """The pretrained model on its device, and its tokenizer, with sentinels if it knows them."""
    device = loop.device_of(work.machine.device)
    elsewhere = referred(work.inputs["pretrain"])
    if elsewhere is not None:
        names = {"name": elsewhere["name"], "revision": elsewhere["revision"]}
        return opened(elsewhere["path"], device, **names)
    model = checkpoints.load(work.inputs["pretrain"], device).model
    tokenizer = tokens.load(work.inputs["tokenizer"])
    extra = objective.extra_tokens(model.positions)
    special = with_sentinels(tokenizer.special, extra.sentinels)
    return Opened(model, replace(tokenizer, special=special), objective.layout, tokenizer)


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
    given = load(work, spec.objective)
    model, tokenizer, layout = given.model, given.tokenizer, given.layout
    _fit(spec.style, work, layout)
    style = _style(spec, work, layout)
    # Where positions go on after the source, the answer's come on top of the source's.
    longest = spec.max_length + spec.target_length * layout.goes_on
    questions = _labelled(ask(spec, work, "train", train=True), spec, "training")
    items = style.encode(questions, tokenizer, longest)
    head = style.head(model.hidden, questions, spec.seed)
    if longest > model.positions:
        model = model.lengthened(longest, spec.seed)
    model.set_dropout(spec.dropout)
    device = loop.device_of(work.machine.device)
    network = together(model, head.to(device) if head is not None else None)
    patience = None
    if spec.patience:
        asked_on = ask(spec, work, "dev", train=True, part="select" if spec.split == "dev" else "")
        held_back = style.encode(_labelled(asked_on, spec, "dev"), tokenizer, longest)
        looks = _loss_of(held_back, spec, work, style, network, model, head, tokenizer)
        every = math.ceil(len(items) / spec.batch)
        patience = Patience(work.folder / "best", every, spec.patience, looks)
    ledger = loop.train(
        network,
        _pieces(spec, work, style, model, head, items, tokenizer),
        _optimisation(spec, len(items)),
        work,
        seed=spec.seed,
        device=device,
        checkpoint_seconds=work.machine.checkpoint_seconds,
        model=model,
        head=head,
        precision=spec.precision,
        patience=patience,
    )
    cut, asked = {"training": _cut(items)}, {}

    def predict(split: str, name: str) -> None:
        encoded = style.encode(ask(spec, work, split, train=False), tokenizer, longest)
        cut[split], asked[split] = _cut(encoded), len(encoded)
        try:
            with loop.autocast(device, spec.precision):
                answers = style.answer(model, head, encoded, tokenizer)
        except FloatingPointError as error:
            raise Diverged(int(ledger["steps"]), {"predicting": str(error)}) from None
        predictions.write(work.folder / name, answers)
        work.log("predicted", split=split, questions=len(answers))

    # The last weights answer first, where others were kept that were better.
    if patience is not None:
        if spec.last and not patience.at_best:
            predict(spec.split, LAST)
        patience.restore(model, head)
    predict(spec.split, CHOSEN)
    if spec.select_on:
        predict(spec.select_on, SELECT)
    if spec.last and not (work.folder / LAST).is_file():
        shutil.copyfile(work.folder / CHOSEN, work.folder / LAST)
    facts = ledger | {"device": loop.name_of(device), "questions": len(items)}
    facts |= {"asked": asked, "cut": cut}
    if patience is not None:
        facts["patience"] = {"losses": patience.losses, "best": patience.best}
    write_facts(work.folder / "ledger.json", facts)
    for begun in ("checkpoint", "best"):
        shutil.rmtree(work.folder / begun, ignore_errors=True)


def _labelled(asked: Sequence[Question], spec: "Finetune", split: str) -> list[Question]:
    """The questions that have an answer; a `UserError` where none has."""
    kept = [q for q in asked if getattr(q, "gold", ()) or getattr(q, "targets", ())]
    if not kept:
        raise UserError(f"{spec.task}: the {split} split has no labelled question")
    return kept


def _loss_of(
    items: Sequence[Item],
    spec: "Finetune",
    work: Work,
    style: Any,
    network: nn.Module,
    model: Backbone,
    head: nn.Module | None,
    tokenizer: Tokenizer,
) -> Callable[[], float]:
    """The mean loss of held-back items, without dropout; it draws the same every time."""
    total = sum(item.weight for item in items)
    device = loop.device_of(work.machine.device)

    def mean() -> float:
        network.eval()
        value = 0.0
        with torch.no_grad(), loop.autocast(device, spec.precision):
            for at, group in micro_batches(items, work.machine.micro_batch):
                rng = np.random.Generator(np.random.Philox(key=[spec.seed, 2**62 + at]))
                share = sum(item.weight for item in group) / total
                value += share * float(style.loss(model, head, group, tokenizer, rng))
        network.train()
        return value

    return mean


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
    model, tokenizer, layout = given.model, given.tokenizer, given.layout
    _fit(spec.style, work, layout)
    style = styled(
        catalogue.of_step(work.how).styles[spec.style],
        layout=layout,
        window=spec.window - 1,
        stride=spec.stride,
    )
    questions = ask(spec, work, spec.split, train=False)
    items = style.encode(questions, tokenizer, model.positions)
    with loop.autocast(loop.device_of(work.machine.device), spec.precision):
        answers = style.answer(model, None, items, tokenizer)
    predictions.write(work.folder / CHOSEN, answers)
    facts = {"asked": {spec.split: len(items)}, "cut": {spec.split: _cut(items)}}
    write_facts(work.folder / "ledger.json", facts)
    work.log("predicted", split=spec.split, questions=len(answers))


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


def _optimisation(spec: "Finetune", items: int) -> Optimisation:
    steps = spec.epochs * math.ceil(items / spec.batch)
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


def _pieces(
    spec: "Finetune",
    work: Work,
    style: Any,
    model: Backbone,
    head: nn.Module | None,
    items: Sequence[Item],
    tokenizer: Tokenizer,
) -> Callable[[int], Sequence[Piece]]:
    """Every epoch is a permutation of its own; what an item draws depends on seed and step only."""
    per_epoch = math.ceil(len(items) / spec.batch)
    work.log("micro_batch", rows=work.machine.micro_batch or spec.batch)

    def piece(group: Sequence[Item], share: float, step: int, at: int) -> Piece:
        rng = np.random.Generator(np.random.Philox(key=[spec.seed, step * spec.batch + at]))
        return Piece(
            lambda: style.loss(model, head, group, tokenizer, rng),
            share,
            {"positions": float(sum(item.length for item in group))},
            [item.question.id for item in group],
        )

    @lru_cache(maxsize=1)
    def order(epoch: int) -> np.ndarray:
        rng = np.random.Generator(np.random.Philox(key=[spec.seed, 2**63 + epoch]))
        return rng.permutation(len(items))

    def pieces(step: int) -> list[Piece]:
        epoch, within = divmod(step, per_epoch)
        chosen = order(epoch)[within * spec.batch : (within + 1) * spec.batch]
        batch = [items[i] for i in chosen]
        total = sum(item.weight for item in batch)
        return [
            piece(group, sum(item.weight for item in group) / total, step, at)
            for at, group in micro_batches(batch, work.machine.micro_batch)
        ]

    return pieces


def micro_batches(batch: Sequence[Item], rows: int | None) -> Iterator[tuple[int, Sequence[Item]]]:
    """(index of the first item, items) of each forward pass of a batch, in order.

    `rows` items at a time, or else as many as have `AT_ONCE` positions together: a question with
    thirty candidates of two hundred tokens fills a pass of its own.
    """
    first = positions = 0
    for at, item in enumerate(batch):
        full = at - first >= rows if rows else positions + item.length > AT_ONCE
        if at > first and full:
            yield first, batch[first:at]
            first, positions = at, 0
        positions += item.length
    yield first, batch[first:]
