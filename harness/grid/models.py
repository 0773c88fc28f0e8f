"""From a grid to the models it needs: vocabulary, corpus as ids, and pretrainings.

A pretraining is a variant at the grid's scale and recipe, with what a row overrides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Any, TypeVar

from ablations.budget import steps
from ablations.scale import Scale, architecture
from ablations.scale import pretraining as pretraining_settings
from ablations.systems import Variant
from glm.data.vocabularies import USUAL
from glm.training.optimisation import Optimisation
from harness.code.catalogue import decided
from harness.grid import checkpoints
from harness.grid.schema import Grid
from harness.grid.sources import Sources
from harness.steps.checkpoint import Checkpoint
from harness.steps.pretrain import Pretrain
from harness.steps.snapshot import Snapshot, spaced
from harness.steps.step import Spec, Step, slug
from harness.steps.tokens import Tokens
from harness.steps.vocabulary import Vocabulary

S = TypeVar("S", bound=Spec)


@dataclass
class Models:
    """Makes each step once; equal arguments give the very same object, and so one digest."""

    grid: Grid
    scale: Scale
    made: dict[tuple[object, ...], Step[Any]] = field(default_factory=dict)

    def once(self, key: tuple[object, ...], make: Callable[[], Step[S]]) -> Step[S]:
        """The step for `key`, made the first time it is asked for."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    @cached_property
    def sources(self) -> Sources:
        """Where corpora, vocabularies and data sets come from."""
        return Sources(self.grid, self.scale)

    @property
    def precision(self) -> str:
        """The grid's, else the scale's."""
        chosen = self.grid.precision
        return self.scale.precision if chosen in (None, "auto") else chosen

    def tokenizer(self, variant: Variant) -> Step[Vocabulary]:
        """The vocabulary that a variant is pretrained with."""
        corpus, wanted = self.sources.corpus(variant), self.grid.data.vocabulary
        kind = wanted.kind or ("train" if self.scale.vocabulary else variant.vocabulary)
        size = wanted.size or self.scale.vocabulary or 30_522
        masks = variant.objective.extra_tokens(self.scale.positions).task_masks
        inputs: dict[str, Step] = {}
        how: dict[str, Any] = {}
        if kind == "train":
            spec = Vocabulary("train", size, task_masks=masks)
            inputs["corpus"] = corpus
        else:
            files, paths = self.sources.vocabulary_files(kind)
            hub = "" if paths else wanted.hub or USUAL[kind]
            spec = Vocabulary("hub" if hub else kind, files=files, hub=hub, task_masks=masks)
            how = {"paths": paths}
        key = ("tokenizer", spec, *sorted(step.digest for step in inputs.values()))
        return self.once(key, lambda: Step("tokenizer", kind, spec, inputs, how))

    def tokens(self, variant: Variant) -> Step[Tokens]:
        """The variant's corpus as ids."""
        inputs = {"corpus": self.sources.corpus(variant), "tokenizer": self.tokenizer(variant)}
        key = ("tokens", *(step.digest for step in inputs.values()))
        return self.once(key, lambda: Step("tokens", inputs["corpus"].name, Tokens(), inputs))

    def pretrain(
        self, variant: Variant, changes: Mapping[str, Any], seed: int
    ) -> Step[Pretrain | Checkpoint]:
        """The variant's pretraining, or its checkpoint; `changes` override its recipe."""
        if variant.checkpoint is not None:
            return self.once(("checkpoint", variant), lambda: checkpoints.step(variant))
        key = ("pretrain", variant, *sorted(changes.items()), seed)
        return self.once(key, lambda: self._pretrain(variant, changes, seed))

    def _pretrain(self, variant: Variant, changes: Mapping[str, Any], seed: int) -> Step[Pretrain]:
        grid, scale = self.grid, self.scale
        tokenizer = self.tokenizer(variant)
        settings = pretraining_settings(variant, scale, grid.hyperparameters)
        count = steps(variant, scale, grid.hyperparameters, grid.match, tokenizer.spec.ids)
        share = count / settings.steps
        body = architecture(variant, scale, grid.hyperparameters)
        settings = replace(
            settings,
            steps=count,
            warmup_steps=max(1, round(settings.warmup_steps * share)),
            decay_steps=round(settings.decay_steps * share),
        )
        settings = replace(settings, **changes)
        spec = Pretrain(
            objective=variant.objective.at_positions(body.positions),
            shape=replace(
                body, dropout=settings.dropout, attention_dropout=settings.attention_dropout
            ),
            optimisation=Optimisation(
                **{f.name: getattr(settings, f.name) for f in fields(Optimisation)}
            ),
            batch=settings.batch,
            length=settings.length,
            precision=self.precision,
            seed=seed,
        )
        inputs = {"tokens": self.tokens(variant), "tokenizer": tokenizer}
        spec, carried = decided(spec, grid.known)
        on_the_way = spaced(settings.steps, grid.curve)
        how = carried | ({"snapshots": on_the_way} if on_the_way else {})
        return Step("pretrain", slug(f"{variant.name}-{scale.name}-s{seed}"), spec, inputs, how)

    def snapshots(self, pretrained: Step[Pretrain | Checkpoint]) -> tuple[Step[Snapshot], ...]:
        """The models on a pretraining's way, as many as the grid's curves have points before its
        end; none of a checkpoint."""
        spec = pretrained.spec
        if isinstance(spec, Checkpoint):
            return ()
        return tuple(
            self.once(
                ("snapshot", pretrained.digest, at), partial(self._snapshot, pretrained, spec, at)
            )
            for at in spaced(spec.optimisation.steps, self.grid.curve)
        )

    def _snapshot(self, pretrained: Step, of: Pretrain, at: int) -> Step[Snapshot]:
        spec, carried = decided(Snapshot(at, of), self.grid.known)
        inputs = {"pretrain": pretrained, **pretrained.inputs}
        return Step("snapshot", f"{pretrained.name}-at{at}", spec, inputs, carried)
