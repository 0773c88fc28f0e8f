"""Writing a world: the corpus and every task's files, in the official formats."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tasks.microworld import generation, layout, superglue
from tasks.microworld.corpus import document
from tasks.microworld.freshness import Registry
from tasks.microworld.lexicon import SPLITS, Cast, pool

VERSION = 1
CHUNK = 1000  # documents checked against the registry at a time

Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Sizes:
    """Rows per task as (train, val, test); MultiRC counts passages.

    The defaults suit a model of about a million parameters.
    """

    CB: Counts = (600, 300, 300)
    COPA: Counts = (1200, 400, 400)
    RTE: Counts = (1600, 400, 400)
    WiC: Counts = (1600, 400, 400)
    WSC: Counts = (1200, 400, 400)
    MultiRC: Counts = (400, 100, 100)
    BoolQ: Counts = (1600, 400, 400)
    ReCoRD: Counts = (1200, 300, 300)
    cnndm: Counts = (1200, 100, 100)
    xsum: Counts = (1200, 100, 100)
    gigaword: Counts = (1600, 150, 150)
    squad_qg: Counts = (1600, 150, 150)
    yahoo: Counts = (2000, 150, 150)
    lambada: Counts = (800, 200, 300)
    heldout: int = 200

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


def rows(
    make: Callable[[Cast], list[Any]],
    units: Callable[[Any], Iterable[str]],
    rng: Random,
    split: str,
    count: int,
    registry: Registry,
) -> list[Any]:
    """`count` rows of one split in random order; twins stay in the split.

    A training row that repeats registered text is drawn again; dev and test rows are registered by
    the caller.
    """
    words, groups, total = pool(split), [], 0
    while total < count:
        batch = [make(Cast(rng, words)) for _ in range(64)]
        if split == "train":
            texts = [" \n ".join(u for row in group for u in units(row)) for group in batch]
            batch = [group for group, hit in zip(batch, registry.hits(texts)) if not hit]
        for group in batch:
            if total < count:
                groups.append(group)
                total += len(group)
    flat = [row for group in groups for row in group][:count]
    rng.shuffle(flat)
    return flat


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


def tables(seed: int, sizes: Sizes, registry: Registry) -> dict[tuple[str, str], list[Any]]:
    """All rows, by (task, split); dev and test text is registered before train rows are drawn."""
    makers = superglue.MAKERS | generation.MAKERS
    drawn: dict[tuple[str, str], list[Any]] = {}
    for split in ("dev", "test", "train"):
        for task, make in makers.items():
            count = getattr(sizes, task)[SPLITS.index(split)]
            units = partial((superglue if task in superglue.MAKERS else generation).units, task)
            rng = Random(f"{seed}/{task}/{split}")
            drawn[task, split] = rows(make, units, rng, split, count, registry)
            if split != "train":
                registry.add(text for row in drawn[task, split] for text in units(row))
    return drawn


def write(
    out: Path | str, *, seed: int = 0, documents: int = 5000, sizes: Sizes | None = None
) -> dict[str, Any]:
    """Write a world into the fresh folder `out` and return what its `world.json` says.

    The same arguments write the same bytes. Every task has the publisher's layout and file names;
    SuperGLUE's test rows have no labels. `counts` in the result has the rows of every file.
    """
    out, sizes, registry = Path(out), sizes or Sizes(), Registry()
    counts: dict[str, int] = {}
    for (task, split), group in tables(seed, sizes, registry).items():
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
