"""Whether the files that a grid names are there: corpora, vocabularies and its tasks' rows."""

from collections.abc import Iterator
from pathlib import Path

from harness.errors import UserError
from harness.grid.overrides import asked, points, style_of
from harness.grid.positions import Document, Key
from harness.grid.schema import CorpusData, Grid
from harness.grid.sources import below_root, corpus_files, own_rows, source, vocabulary_paths
from harness.steps import documents
from tasks.source.folder import Folder, find
from tasks.spec import Task


def check(grid: Grid, document: Document) -> None:
    """Blame every file that is not there, and a corpus whose first row cannot be read."""
    data = grid.data
    if data.kind == "folder" and not data.root:
        document.blame(("data",), "a folder source needs `root`: the folder's path")
        return
    if data.root and not Path(data.root).is_dir():
        said = f"no folder {data.root}: give the one that holds the files"
        document.blame(("data", "root"), said)
        return
    _corpora(grid, document)
    _vocabulary(grid, document)
    for task, split in _needed(grid):
        if data.kind != "microworld" or own_rows(grid, task):
            _rows(grid, document, task, split)


def _corpora(grid: Grid, document: Document) -> None:
    data = grid.data
    named = data.corpus and (data.corpus.path or data.corpus.hub)
    if data.kind != "microworld" and not named and _reads_corpus(grid):
        said = "a `corpus` is missing: name its files (path) or a hub data set (hub)"
        document.blame(("data", "corpus"), said)
    for key, wanted in (("corpus", data.corpus), ("larger_corpus", data.larger_corpus)):
        for i, name in enumerate(wanted.path if wanted else ()):
            assert wanted is not None
            one = wanted.model_copy(update={"path": [name]})
            _corpus(grid, document, one, ("data", key), ("data", key, "path", i))


def _corpus(grid: Grid, document: Document, wanted: CorpusData, data: Key, place: Key) -> None:
    """Blame a path of a corpus: what is not there, and what cannot be read as it is meant."""
    paths = corpus_files(grid, wanted)
    if not paths:
        document.blame(place, f"the folder {below_root(grid, wanted.path[0])} has no .txt files")

    for path in paths:
        if not path.is_file():
            document.blame(place, f"no file {path}")
        elif "text" not in (wanted.format, documents.by_name(path)) and wanted.documents != "line":
            said = f"`documents` is for text files, and {path.name} is none"
            document.once((*data, "documents"), said)
        else:
            _beginning(document, wanted, path, data)


def _beginning(document: Document, wanted: CorpusData, path: Path, data: Key) -> None:
    """Blame a corpus file whose first document cannot be read."""
    try:
        next(documents.read(path, wanted.format, wanted.field, wanted.documents), None)
    except UserError as error:
        field = (*data, "field")
        document.once(field if field in document.values else data, str(error))


def _reads_corpus(grid: Grid) -> bool:
    """Whether anything is pretrained here, or held-out text of the corpus is asked for."""
    tables = grid.resolved_tables
    systems = (grid.known.systems[r.variant] for t in tables for r in t.rows if r.variant)
    heldout = any(column.task == "heldout" for table in tables for column in table.columns)
    return heldout or any(system.checkpoint is None for system in systems) or not tables


def _vocabulary(grid: Grid, document: Document) -> None:
    wanted = grid.data.vocabulary
    if wanted.path and wanted.kind in ("", "train"):
        said = "`path` is for a published vocabulary: say its `kind`"
        document.blame(("data", "vocabulary"), said)
    elif wanted.path:
        for path in vocabulary_paths(grid, wanted.kind):
            if not path.is_file():
                document.blame(("data", "vocabulary", "path"), f"no file {path}")


def _needed(grid: Grid) -> Iterator[tuple[Task, str]]:
    """Every task of the tables with every split that is read, each once."""
    needed: dict[tuple[str, str], None] = {}
    choice, requirements = len(points(grid.sweep)) > 1, grid.known.requirements
    for table in grid.resolved_tables:
        for column in table.columns:
            task = grid.known.tasks[column.task]
            rows = [(row, grid.known.systems[row.variant]) for row in table.rows if row.variant]
            styles = {
                style: asked(row, column, task, requirements[style].asks)
                for row, system in rows
                if (style := style_of(row, column, task, system, requirements))
            }
            trained = any(requirements[style].trained for style in styles)
            shown = any(how.shots for how in styles.values())
            splits = (*(("train",) if trained or shown else ()), table.split)
            for split in (*splits, *(("dev",) if choice and trained else ())):
                needed[column.task, split] = None
    for name, split in needed:
        if name != "heldout":  # its text comes with the corpus
            yield grid.known.tasks[name], split


def _rows(grid: Grid, document: Document, task: Task, split: str) -> None:
    named = ("data", "files", task.name, split)
    place = named if named in document.values else ("data", "root")
    try:
        rows = source(grid, task)
        if isinstance(rows, Folder):
            find(task, split, rows)  # its bytes are read later
        else:
            rows.split(task, split)
    except UserError as error:
        document.blame(place if place in document.values else ("data",), str(error))
