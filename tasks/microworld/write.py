"""Writing a world: the corpus and every task's files, in the official formats."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from tasks.microworld import superglue
from tasks.microworld.corpus import document
from tasks.microworld.freshness import Registry
from tasks.microworld.lexicon import Cast, pool

VERSION = 1
CHUNK = 1000  # documents checked against the registry at a time

Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Sizes:
    """Rows per task as (train, val, test); MultiRC and ReCoRD count passages.

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


def write(
    out: Path | str, *, seed: int = 0, documents: int = 5000, sizes: Sizes | None = None
) -> dict[str, Any]:
    """Write a world into the fresh folder `out` and return its `world.json`.

    The same arguments write the same bytes. Layout: corpus/{train,heldout}.jsonl and
    superglue/TASK/{train,val,test}.jsonl; test rows have no labels.
    """
    out, sizes = Path(out), sizes or Sizes()
    registry, counts = Registry(), {}
    drawn: dict[tuple[str, str], list[Any]] = {}
    for split in ("dev", "test", "train"):
        for task, make in superglue.MAKERS.items():
            rng = Random(f"{seed}/{task}/{split}")
            count = getattr(sizes, task)[("train", "dev", "test").index(split)]

            def units(row, task=task):
                return superglue.units(task, row)

            drawn[task, split] = rows(make, units, rng, split, count, registry)
        if split != "train":
            registry.add(
                text
                for (task, part), group in drawn.items()
                for row in group
                if part == split
                for text in superglue.units(task, row)
            )
    for (task, split), group in drawn.items():
        name = "val" if split == "dev" else split
        numbered = superglue.number(task, group)
        if split == "test":
            numbered = (superglue.unlabelled(task, row) for row in numbered)
        path = f"superglue/{task}/{name}.jsonl"
        counts[path] = _lines(out / path, map(json.dumps, numbered))
    for part, count in (("heldout", sizes.heldout), ("train", documents)):
        path = f"corpus/{part}.jsonl"
        counts[path] = _lines(out / path, map(json.dumps, corpus(seed, part, count, registry)))
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
