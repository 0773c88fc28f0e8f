"""A grid's data as steps: the built-in world, a folder or the hub, behind one face."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ablations.scale import Scale
from ablations.systems import Variant
from harness.code.catalogue import decided
from harness.errors import UserError
from harness.grid.schema import CorpusData, Grid
from harness.steps.corpus import Corpus
from harness.steps.dataset import SPLITS, Dataset
from harness.steps.step import Step, slug
from harness.steps.world import World
from tasks import TASKS
from tasks.microworld.write import VERSION
from tasks.source import files
from tasks.source.folder import Folder
from tasks.source.hub import Hub
from tasks.source.rows import fingerprint
from tasks.spec import Task

VOCABULARY_FILES = {
    "bert": ("bert-base-uncased-vocab.txt",),
    "roberta": ("roberta-vocab.json", "roberta-merges.txt"),
    "gpt2": ("gpt2-vocab.json", "gpt2-merges.txt"),
}


@dataclass
class Sources:
    """Where a grid's text comes from; every step is made once."""

    grid: Grid
    scale: Scale
    corpora: dict[bool, Step[Corpus]] = field(default_factory=dict)  # larger or not
    datasets: dict[tuple[str, str], Step[Dataset]] = field(default_factory=dict)  # task, corpus

    @cached_property
    def world(self) -> Step[World]:
        """The built-in world at the grid's size."""
        data = self.grid.data
        documents = data.documents or self.scale.documents
        spec = World(data.seed, documents, self.scale.world, VERSION)
        return Step("world", f"world-{documents}-s{data.seed}", spec)

    def corpus(self, variant: Variant) -> Step[Corpus]:
        """The documents a variant is pretrained on; some tables have a larger corpus for some."""
        data = self.grid.data
        larger = variant.recipe == "roberta" and data.larger_corpus is not None
        if larger not in self.corpora:
            wanted = data.larger_corpus if larger else data.corpus
            self.corpora[larger] = self._corpus(wanted)
        return self.corpora[larger]

    def _corpus(self, wanted: CorpusData | None) -> Step[Corpus]:
        if wanted is None or not (wanted.path or wanted.hub):
            return Step("corpus", "world", Corpus(), {"world": self.world})
        if wanted.hub:
            spec = Corpus(
                text=wanted.field,
                hub=wanted.hub,
                revision=wanted.revision or "",
                split=wanted.split,
                limit=wanted.limit,
            )
            return Step("corpus", slug(wanted.hub), spec)
        paths = corpus_files(self.grid, wanted)
        spec = Corpus(
            files=tuple(files.digest([path]) for path in paths),
            format=wanted.format,
            text=wanted.field,
            unit=wanted.documents,
            limit=wanted.limit,
        )
        return Step(
            "corpus", slug(Path(wanted.path[0]).name), spec, how={"paths": [str(p) for p in paths]}
        )

    def vocabulary_files(self, kind: str) -> tuple[tuple[str, ...], list[str]]:
        """Content digests and paths of a published vocabulary; empty when the hub has to serve."""
        wanted = self.grid.data.vocabulary
        if not wanted.path:
            return (), []
        paths = vocabulary_paths(self.grid, kind)
        return tuple(files.digest([path]) for path in paths), [str(path) for path in paths]

    def dataset(
        self, task: Task, needed: tuple[str, ...], variant: Variant | None = None
    ) -> Step[Dataset]:
        """One task's checked rows, with the splits that are `needed` at least.

        Held-out text belongs to the variant's corpus.
        """
        held_out = task.name == "heldout" and variant is not None
        corpus = self.corpus(variant) if held_out and variant else None
        key = (task.name, corpus.digest if corpus else "")
        if key not in self.datasets:
            self.datasets[key] = self._dataset(task, corpus)
        made = self.datasets[key]
        for split in needed:
            if split not in made.spec.splits:
                fingerprint(task, split, source(self.grid, task))  # says what is missing, and where
        return made

    def _dataset(self, task: Task, corpus: Step[Corpus] | None) -> Step[Dataset]:
        data = self.grid.data
        splits = tuple(split for split in SPLITS if split in task.names)
        limits = self._limits(splits)
        if corpus is not None:
            limits = {split: limit for split, limit in limits.items() if split == "test"}
            spec, carried = decided(Dataset(task.name, ("test",), limits=limits), self.grid.known)
            return Step("dataset", task.name, spec, {"corpus": corpus}, carried)
        if data.kind == "microworld" and not own_rows(self.grid, task):
            spec, carried = decided(Dataset(task.name, splits, limits=limits), self.grid.known)
            return Step("dataset", task.name, spec, {"world": self.world}, carried)
        rows = source(self.grid, task)
        found = {}
        for split in splits:
            with suppress(UserError):  # not every split is there, or needed
                found[split] = fingerprint(task, split, rows)
        spec = Dataset(task.name, tuple(found), found, limits, data.on_bad_row)
        spec, carried = decided(spec, self.grid.known)
        return Step("dataset", task.name, spec, how={"source": rows, **carried})

    def _limits(self, splits: tuple[str, ...]) -> dict[str, int]:
        own: Mapping[str, int] = {**self.grid.data.limit}
        scale = {"train": self.scale.rows, "dev": self.scale.eval_rows}
        scale["test"] = self.scale.eval_rows
        limits = {split: own.get(split, scale[split]) for split in splits}
        return {split: limit for split, limit in limits.items() if limit}


def corpus_files(grid: Grid, wanted: CorpusData) -> list[Path]:
    """A corpus's files in reading order; a folder is its .txt files, those below it included."""
    found: list[Path] = []
    for name in wanted.path:
        path = below_root(grid, name)
        within = (each for ending in files.SUFFIXES for each in path.rglob(f"*.txt{ending}"))
        found += sorted(filter(Path.is_file, within)) if path.is_dir() else [path]
    return found


def below_root(grid: Grid, path: str) -> Path:
    """A file that the grid names: below its root, or else beside the grid."""
    return Path(grid.data.root or grid.folder) / path


def vocabulary_paths(grid: Grid, kind: str) -> list[Path]:
    """Where the files of a published vocabulary should be: the path given, or in that folder."""
    folder = below_root(grid, grid.data.vocabulary.path)
    return [folder] if folder.is_file() else [folder / name for name in VOCABULARY_FILES[kind]]


def own_rows(grid: Grid, task: Task) -> bool:
    """Whether a task has rows of its own where the others' are the built-in world's."""
    return task.name in grid.data.files or task.folder not in {t.folder for t in TASKS.values()}


def source(grid: Grid, task: Task) -> Folder | Hub:
    """Where a task's rows come from; the folder too has those that the hub has not whole."""
    data = grid.data
    lacking = task.hub is None or set(task.names) - set(task.hub.splits)
    if data.kind == "hub" and not (task.name in data.files or (lacking and data.root)):
        revisions = {task.name: data.revision} if data.revision else {}
        return Hub(revisions, on_bad_row=data.on_bad_row)
    return Folder(data.root or str(grid.folder), files=data.files, on_bad_row=data.on_bad_row)
