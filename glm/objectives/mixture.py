"""Several objectives in one batch, drawn by weight: GLM-Doc, GLM-Sent and the like.

Shapes: B rows, N raw tokens, P parts of a mixture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np

from glm.data.example import Batch
from glm.data.special import Special
from glm.objectives.amounts import Amounts, mixed
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.documents import ascending, documents
from glm.objectives.draws import Draws, draws
from glm.objectives.layout import Layout
from glm.objectives.objective import ExtraTokens, Likelihood, Objective
from glm.objectives.spans import Spans

_PART = 48  # the purpose of this module's draws; the parts use those below


@dataclass(frozen=True)
class Mixture:
    """Several objectives with weights: (weight, objective), ... GLM-Doc and GLM-Sent are these.

    Drawn for every row, or once for the whole batch as in the original (`per="batch"`). The model
    is asked as its first part is, but for all that any of the parts serves.
    """

    parts: tuple[tuple[float, Objective], ...]
    per: Annotated[Literal["sequence", "batch"], "what a draw is made for"] = "sequence"

    def __call__(self, text_BN: np.ndarray, rng: np.random.Generator, special: Special) -> Batch:
        """Rows of token ids to a batch; takes 1 + B numbers from `rng`."""
        return self.build(text_BN, draws(rng, len(text_BN)), special)

    def build(self, text_BN: np.ndarray, keys: Draws, special: Special) -> Batch:
        """The same from given keys, one per row."""
        edges = np.cumsum([weight for weight, _ in self.parts])
        if self.per == "batch":
            one = np.searchsorted(edges[:-1], keys.shared(_PART) * edges[-1], side="right")
            return self.parts[one][1].build(text_BN, keys, special)
        drawn = keys.uniform(_PART, 1)[:, 0] * edges[-1]
        part = np.searchsorted(edges[:-1], drawn, side="right")
        one = self._but_for_spans()
        if one is not None:
            return self._mixed_spans(one, text_BN, part, keys, special)
        rows_P = [np.flatnonzero(part == p) for p in range(len(self.parts))]
        batches = [
            objective.build(np.asarray(text_BN)[rows], keys.take(rows), special)
            for rows, (_, objective) in zip(rows_P, self.parts, strict=True)
            if len(rows)
        ]
        return merge(batches, [rows for rows in rows_P if len(rows)], special.pad)

    @property
    def layout(self) -> Layout:
        """The first part's, serving what any part serves."""
        layouts = [objective.layout for _, objective in self.parts]
        serves = dict.fromkeys(ask for layout in layouts for ask in layout.serves)
        return replace(layouts[0], serves=tuple(serves))

    @property
    def likelihood(self) -> Likelihood:
        """The first part's."""
        return self.parts[0][1].likelihood

    def extra_tokens(self, positions: int) -> ExtraTokens:
        """Whatever any of the parts needs."""
        needed = [objective.extra_tokens(positions) for _, objective in self.parts]
        return ExtraTokens(
            max(each.sentinels for each in needed), any(each.task_masks for each in needed)
        )

    def amounts(self, length: int) -> Amounts:
        """The parts' means; `per="batch"` is reckoned as if every sequence were drawn alone."""
        return mixed([(weight, objective.amounts(length)) for weight, objective in self.parts])

    def at_positions(self, positions: int) -> Self:
        """Every part for a model of so many positions."""
        parts = ((weight, objective.at_positions(positions)) for weight, objective in self.parts)
        return replace(self, parts=tuple(parts))

    def _but_for_spans(self) -> BlankInfilling | None:
        """The one blank infilling that all parts are, if they differ in their spans alone."""
        first = self.parts[0][1]
        if not isinstance(first, BlankInfilling) or first.task_masks:
            return None
        others = (objective for _, objective in self.parts)
        alike = (isinstance(o, BlankInfilling) and replace(o, spans=first.spans) for o in others)
        return first if all(o == first for o in alike) else None

    def _mixed_spans(
        self,
        one: BlankInfilling,
        text_BN: np.ndarray,
        part_B: np.ndarray,
        keys: Draws,
        special: Special,
    ) -> Batch:
        """The same rows faster: every part chooses spans, and all are written at once."""
        docs = documents(text_BN, special)
        by_document = docs.draws(keys)
        part_U = part_B[docs.row_U]
        chosen = []
        for p, (_, objective) in enumerate(self.parts):
            units = np.flatnonzero(part_U == p)
            assert isinstance(objective, BlankInfilling)
            found = objective.spans(docs.take(units), by_document.take(units), special)
            chosen.append(replace(found, unit_S=units[found.unit_S]))
        order = np.argsort(np.concatenate([spans.begin_S for spans in chosen]))
        spans = Spans(
            *(
                np.concatenate([getattr(spans, name) for spans in chosen])[order]
                for name in ("unit_S", "begin_S", "size_S", "open_S")
            )
        )
        return one.write(docs, spans, by_document, special)


def merge(batches: Sequence[Batch], rows: Sequence[np.ndarray], pad: int = 0) -> Batch:
    """One batch whose rows `rows[i]` are those of `batches[i]`."""
    if len(batches) == 1:
        return batches[0]
    shape = (sum(map(len, rows)), max(batch.width for batch in batches))
    names = ("tokens_BT", "position_BT", "inner_BT", "document_BT", "branch_BT")
    fill = {"tokens_BT": pad, "document_BT": -1}
    merged = {name: np.full(shape, fill.get(name, 0), np.int32) for name in names}
    index = []
    for batch, to in zip(batches, rows, strict=True):
        for name in names:
            merged[name][to, : batch.width] = getattr(batch, name)
        begin = np.arange(batch.rows) * batch.width
        count = np.diff(np.searchsorted(batch.index_M, begin), append=len(batch.index_M))
        index.append(batch.index_M + np.repeat(to * shape[1] - begin, count))
    flat = np.concatenate(index)
    order = ascending(flat, shape[0] * shape[1])
    target = np.concatenate([batch.target_M for batch in batches])[order]
    weight = np.concatenate([batch.weight_M for batch in batches])[order]
    return Batch(**merged, index_M=flat[order], target_M=target, weight_M=weight)
