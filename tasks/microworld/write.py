"""Writing a world: the corpus and every task's files, in the official formats."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from tasks.microworld import generation, grammar, layout, superglue
from tasks.microworld.corpus import document
from tasks.microworld.freshness import Registry
from tasks.microworld.lexicon import SPLITS, Cast, pool
from tasks.microworld.passages import Dial, Mixture

VERSION = 4
MIXTURE = Mixture()
CHUNK = 1000  # documents checked against the registry at a time

Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Sizes:
    """Rows per task as (train, val, test), 40,000 and more if asked for; MultiRC counts passages.

    The defaults suit a model of about a million parameters.
    """

    CB: Counts = (1800, 1002, 1002)
    COPA: Counts = (1800, 1000, 1000)
    RTE: Counts = (1800, 1000, 1000)
    WiC: Counts = (1800, 1000, 1000)
    WSC: Counts = (1800, 1000, 1000)
    MultiRC: Counts = (400, 200, 200)
    BoolQ: Counts = (1800, 1000, 1000)
    ReCoRD: Counts = (1200, 1000, 1000)
    cnndm: Counts = (1200, 100, 100)
    xsum: Counts = (1200, 100, 100)
    gigaword: Counts = (1600, 150, 150)
    squad_qg: Counts = (1600, 150, 150)
    yahoo: Counts = (2000, 150, 150)
    lambada: Counts = (800, 400, 1000)
    heldout: int = 200  # documents
    blimp: int = 100  # pairs of a paradigm

    def scaled(self, factor: float) -> "Sizes":
        """All sizes times `factor`, at least 12 rows each and even, so that twins stay together."""

        def scale(count: int) -> int:
            return max(12, round(count * factor / 6) * 6)

        sizes = {}
        for field in fields(self):
            value = getattr(self, field.name)
            grown = tuple(map(scale, value)) if isinstance(value, tuple) else scale(value)
            sizes[field.name] = grown
        return replace(self, **sizes)


@dataclass(frozen=True)
class Maker:
    """A task's groups of rows: how one is made, at which levels, and its texts."""

    task: str
    make: Callable[[Cast, Dial], list[Any]]
    levels: tuple[int, ...]
    units: Callable[[str, Any], list[str]]

    def texts(self, group: list[Any]) -> list[str]:
        """All texts of a group that must not be seen elsewhere."""
        return [text for row in group for text in self.units(self.task, row)]


MAKERS: Mapping[str, Maker] = {
    name: Maker(name, make, place.HAS[name], place.units)
    for place in (superglue, generation)
    for name, make in place.MAKERS.items()
}


def rows(
    maker: Maker, rng: Random, split: str, count: int, mixture: Mixture, registry: Registry
) -> list[Any]:
    """At most `count` rows of one split in whole groups of twins, the groups in random order.

    A row says its `level`, and as `twin` the name of its group. A training group that repeats
    registered text is drawn again; dev and test text is registered by the caller.
    """
    words, groups, total = pool(split), [], 0
    while True:
        turns = range(len(groups), len(groups) + 64)
        dials = [mixture.draw(rng, turn, maker.levels) for turn in turns]
        batch = [(dial, maker.make(Cast(rng, words), dial)) for dial in dials]
        if split == "train":
            hits = registry.hits([" \n ".join(maker.texts(group)) for _, group in batch])
            batch = [each for each, hit in zip(batch, hits) if not hit]
        for dial, group in batch:
            if total + len(group) > count:
                rng.shuffle(groups)
                return [row for whole in groups for row in whole]
            groups.append(_marked(group, dial, f"{split}-{len(groups)}"))
            total += len(group)


def _marked(group: list[Any], dial: Dial, name: str) -> list[Any]:
    """The rows with their level and their group's name, for which plain text has no place."""
    marks = {"level": dial.level, "twin": name}
    return [row if isinstance(row, str) else {**row, **marks} for row in group]


def corpus(seed: int, part: str, count: int, registry: Registry) -> Iterator[dict[str, str]]:
    """Documents 0..count-1 of a part; one that holds registered text is drawn again."""
    words = pool("corpus")
    for start in range(0, count, CHUNK):
        attempts = dict.fromkeys(range(start, min(start + CHUNK, count)), 0)
        done: dict[int, dict[str, str]] = {}
        while attempts:
            drawn = {i: document(seed, part, i, words, n) for i, n in attempts.items()}
            hits = registry.hits([d["text"] for d in drawn.values()])
            done.update((i, d) for (i, d), hit in zip(drawn.items(), hits) if not hit)
            attempts = {i: attempts[i] + 1 for i, hit in zip(drawn, hits) if hit}
        yield from (done[i] for i in sorted(done))


def grammar_rows(seed: int, count: int, registry: Registry) -> list[dict[str, Any]]:
    """Minimal pairs, `count` of each paradigm, with the names and things of the test split."""
    words, drawn = pool("test"), []
    for paradigm in grammar.PARADIGMS.values():
        rng = Random(f"{seed}/blimp/{paradigm.name}")
        seen: dict[str, dict[str, Any]] = {}
        while len(seen) < count:
            row = grammar.row(Cast(rng, words), paradigm, len(seen))
            seen.setdefault(row["sentence_good"], row)
        drawn += seen.values()
    registry.add(row[name] for row in drawn for name in ("sentence_good", "sentence_bad"))
    return drawn


def tables(
    seed: int, sizes: Sizes, mixture: Mixture, registry: Registry
) -> dict[tuple[str, str], list[Any]]:
    """All rows, by (task, split); dev and test text is registered before train rows are drawn."""
    drawn: dict[tuple[str, str], list[Any]] = {}
    for split in ("dev", "test", "train"):
        for task, maker in MAKERS.items():
            count = getattr(sizes, task)[SPLITS.index(split)]
            rng = Random(f"{seed}/{task}/{split}")
            drawn[task, split] = rows(maker, rng, split, count, mixture, registry)
            if split != "train":
                registry.add(maker.texts(drawn[task, split]))
    return drawn


def write(
    out: Path | str,
    *,
    seed: int = 0,
    documents: int = 5000,
    sizes: Sizes | None = None,
    mixture: Mixture = MIXTURE,
) -> dict[str, Any]:
    """Write a world into the fresh folder `out` and return what its `world.json` says.

    `mixture` is what every task file is mixed of: levels, distances, distractors.

    The same arguments write the same bytes. Every task has the publisher's layout and file names;
    SuperGLUE's test rows have no labels. `counts` in the result has the rows of every file.
    """
    out, sizes, registry = Path(out), sizes or Sizes(), Registry()
    counts: dict[str, int] = {}
    pairs = grammar_rows(seed, sizes.blimp, registry)
    counts["blimp/blimp.jsonl"] = _lines(out / "blimp/blimp.jsonl", map(json.dumps, pairs))
    for (task, split), group in tables(seed, sizes, mixture, registry).items():
        if task in superglue.MAKERS:
            contents = layout.superglue_file(task, split, group)
        else:
            contents = layout.FILES[task](split, group, Random(f"{seed}/{task}/{split}/blanks"))
        for path, lines in contents:
            counts[path] = _lines(out / path, lines)
    held = list(corpus(seed, "heldout", sizes.heldout, registry))
    counts["corpus/heldout.jsonl"] = _lines(out / "corpus/heldout.jsonl", map(json.dumps, held))
    registry.add(document["text"] for document in held)
    train = map(json.dumps, corpus(seed, "train", documents, registry))
    counts["corpus/train.jsonl"] = _lines(out / "corpus/train.jsonl", train)
    world = {
        "version": VERSION,
        "seed": seed,
        "documents": documents,
        "sizes": asdict(sizes),
        "mixture": asdict(mixture),
        "counts": counts,
    }
    _lines(out / "world.json", [json.dumps(world, indent=1)])
    return world


def _lines(path: Path, lines: Iterable[str] | Sequence[str]) -> int:
    """Write lines with "\\n" endings on every platform; the number written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line)
            file.write("\n")
            count += 1
    return count
