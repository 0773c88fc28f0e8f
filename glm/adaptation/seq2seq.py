"""Sequence-to-sequence finetuning: one blank to be written out (GLM, section 3.3).

    Part A   [CLS] [MASK] content : australia 's current account ... [EOS]
    Part B   [START] australian current account deficit narrows
    wanted   australian current account deficit narrows [END]

Padding is never attended to (in the original it is). Label smoothing spreads its mass over the
real vocabulary. Other pretrainings write the same in their own layout: the prefix LM as source and
target, GPT as one text.

UniLM was pretrained to fill masks where they stand, and writes so (Dong et al. 2019): finetuning
hides a share of the target's tokens, [END] among them, and predicts those; decoding puts a mask
behind what is written and lets the token that it stands for take its place.

    Part A   [CLS] [MASK] content : australia 's current account ... [EOS]
    Part B   australian [MASK] account [MASK] narrows [MASK]
    wanted              current        deficit        [END]
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from glm.adaptation.cloze import branches
from glm.adaptation.encoding import Source, answers, pieces, source
from glm.adaptation.items import Item, read_each, target_loss
from glm.data.sequences import Sequence as Row
from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.generation.beam import Found, Search, beam
from glm.generation.prompt import Prompt
from glm.models.backbone import Backbone
from glm.objectives.layout import BLANK, Layout
from tasks.spec import Answer, Generate, Question


@dataclass(frozen=True)
class Seq2SeqStyle:
    """Lengths in tokens: `source` (0: all the room there is) with [CLS] and the end token,
    `target` with [END]. A longer target is cut in training, without an [END]. The rest is the
    search's, see `glm.generation.beam.Search`. `masked` is the share of a target's tokens that
    finetuning hides, for models that predict in place; without, the next token is predicted."""

    layout: Layout = BLANK
    source: int = 0
    target: int = 160
    label_smoothing: float = 0.1
    beams: int = 5
    length_penalty: float = 0.7
    min_length: int = 0
    ngram: int = 3
    masked: float = 0.0

    def head(self, hidden: int, questions: Sequence[Question], seed: int = 0) -> nn.Module | None:
        """Nothing is added to the model."""
        return None

    def encode(
        self, questions: Iterable[Generate], tokenizer: Tokenizer, max_length: int
    ) -> list[Item]:
        """Items whose sequence is the source, followed by the target where there is one.

        Neither the source's nor the answer's positions pass `max_length`.
        """
        questions = list(questions)
        special, layout = tokenizer.special, self.layout.writing
        texts = pieces((q.text for q in questions), tokenizer)
        targets = iter(answers([t for q in questions for t in q.targets[:1]], tokenizer))
        target = min(self.target, max_length - 1)
        # In the other layouts the answer's positions come after the source's.
        room = max_length - target if layout.goes_on else max_length
        room = min(room, self.source or room)
        items = []
        for question, text in zip(questions, texts, strict=True):
            given = source(text, special, room, question.id, layout=layout)
            wanted = [*next(targets), special.end] if question.targets else []
            cut = given.cut + max(0, len(wanted) - target)
            if self.masked:
                count = max(min(1, len(wanted)), round(self.masked * len(wanted[:target])))
                row = masked_row(given, wanted[:target], range(count), layout, special)
            else:
                row = training_row(given, [wanted[:target]], layout, special)
            items.append(Item(question, (row,), max(1, len(row.read_R)), cut, given))
        return items

    def loss(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Mean over target tokens, [END] included, of the smoothed cross-entropy in nats.

        With `masked`, over the hidden ones, as many in every epoch, drawn afresh from `rng`.
        """
        rows = [s for item in items for s in item.sequences]
        if self.masked and rng is not None:
            mask = tokenizer.special.mask
            rows = [_redrawn(row, item.plan, mask, rng) for row, item in zip(rows, items)]
        return target_loss(model, rows, tokenizer.special, self.label_smoothing)

    def answer(
        self,
        model: Backbone,
        head: nn.Module | None,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        batch_positions: int = 8192,
    ) -> list[Answer]:
        """What beam search writes; `scores` holds the answer's score."""
        special = tokenizer.special
        search = Search(
            special.end,
            special.size,
            self.target - 1,
            self.beams,
            self.length_penalty,
            self.min_length,
            self.ngram,
            unwritten(special),
            special.pad,
            mask=special.mask if self.masked else None,
        )

        def reduce(group: Sequence[Item]) -> list[Answer]:
            prompts = [prompt(item.plan, self.layout.writing, special) for item in group]
            found = beam(model, prompts, search)
            return [written(item, [f], tokenizer) for item, f in zip(group, found, strict=True)]

        return read_each(model, items, batch_positions, reduce)


def training_row(given: Source, wanted: Sequence[Sequence[int]], layout: Layout, special: Special):
    """The source and, for each blank, its start token and all of `wanted` but the last token;
    read where each token of `wanted` is to be predicted. Empty targets are left out."""
    row = branches(given, [], [], layout)
    tokens: list[int] = list(layout.opening)
    position, inner = list(range(len(tokens))), [0] * len(tokens)
    targets: list[int] = []
    for blank, words in enumerate(wanted):
        if words:
            outer, second = layout.answer(given, blank, len(words), used=len(tokens))
            tokens += [layout.start(special, blank), *words[:-1]]
            position += outer
            inner += second
            targets += words
    start = len(row)

    def joined(old, new):
        return np.concatenate([old, np.array(new, np.int32)])

    return replace(
        row,
        tokens_L=joined(row.tokens_L, tokens),
        position_L=joined(row.position_L, position),
        inner_L=joined(row.inner_L, inner),
        branch_L=joined(row.branch_L, [1] * len(tokens)),
        read_R=np.arange(start + len(layout.opening), start + len(tokens)),
        target_R=np.array(targets, np.int64),
    )


def masked_row(
    given: Source, wanted: Sequence[int], hidden: Iterable[int], layout: Layout, special: Special
):
    """The source and all of `wanted`, masks in place of its `hidden` tokens, which are read."""
    row, start, places = (
        branches(given, [], [], layout),
        len(given.tokens),
        np.array([*hidden], int),
    )
    position, inner = layout.answer(given, 0, len(wanted)) if wanted else ([], [])
    tokens, targets = np.array(wanted, np.int32), np.array(wanted, np.int64)[places]
    tokens[places] = special.mask
    return replace(
        row,
        tokens_L=np.concatenate([row.tokens_L, tokens]),
        position_L=np.concatenate([row.position_L, np.array(position, np.int32)]),
        inner_L=np.concatenate([row.inner_L, np.array(inner, np.int32)]),
        branch_L=np.concatenate([row.branch_L, np.ones(len(wanted), np.int32)]),
        read_R=start + places,
        target_R=targets,
    )


def _redrawn(row: Row, given: Source, mask: int, rng: np.random.Generator) -> Row:
    """A masked row with other tokens hidden, as many as before."""
    tokens_L, start = row.tokens_L.copy(), len(given.tokens)
    tokens_L[row.read_R] = row.target_R
    hidden = start + np.sort(rng.permutation(len(row) - start)[: len(row.read_R)])
    target_R = tokens_L[hidden].astype(np.int64)
    tokens_L[hidden] = mask
    return replace(row, tokens_L=tokens_L, read_R=hidden, target_R=target_R)


def prompt(given: Source, layout: Layout, special: Special) -> Prompt:
    """The source as decoding wants it."""
    blanks = range(len(given.blanks)) if layout.kind == "blank" else range(len(given.blanks) or 1)
    opening = [list(layout.opening)] if layout.opening else []
    used = len(layout.opening)
    return Prompt(
        branches(given, opening, [[]] * len(opening), layout),
        tuple(layout.answer(given, blank, 1, used)[0][0] for blank in blanks),
        tuple(layout.start(special, blank) for blank in blanks),
        grows=layout.kind != "blank",
        counts=layout.inner,
        ends=tuple(layout.end(special, blank) for blank in blanks),
    )


def unwritten(special: Special) -> tuple[int, ...]:
    """Ids that no answer contains."""
    ids = {special.pad, special.eos, special.cls, special.mask, special.start}
    ids |= {i for i in (special.gmask, special.smask) if i is not None}
    ids |= {*special.sentinel_masks, *special.sentinel_starts}
    return tuple(sorted(ids - {special.end, special.sep}))


def written(item: Item, found: Sequence[Found], tokenizer: Tokenizer) -> Answer:
    """An answer with the text of every blank, inside the template where there is one."""
    question: Generate = item.question
    texts = [tokenizer.decode(list(f.tokens)) for f in found]
    return Answer(
        id=question.id,
        scores=tuple(f.score for f in found),
        text=question.template.format(*texts) if question.template else " ".join(texts),
        references=question.references or question.targets,
    )
