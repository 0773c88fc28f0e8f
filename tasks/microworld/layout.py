"""The publishers' files: which lines go into which file of a task and split."""

import json
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from tasks.microworld import superglue
from tasks.microworld.generation import RATIOS, blanked

Files = list[tuple[str, Iterable[str]]]  # (path below the world's folder, lines)


def superglue_file(task: str, split: str, rows: list[Any]) -> Files:
    """superglue/TASK/{train,val,test}.jsonl, numbered; the test rows without labels."""
    numbered = superglue.number(task, rows)
    if split == "test":
        numbered = (superglue.unlabelled(task, row) for row in numbered)
    return [(f"superglue/{task}/{_val(split)}.jsonl", map(json.dumps, numbered))]


def cnndm(split: str, rows: list[Any], rng: Random) -> Files:
    return _jsonl("cnndm", split, rows)


def xsum(split: str, rows: list[Any], rng: Random) -> Files:
    return _jsonl("xsum", split, rows)


def gigaword(split: str, rows: list[Any], rng: Random) -> Files:
    base = f"gigaword/{_val(split)}"
    return [
        (f"{base}.source", [row["document"] for row in rows]),
        (f"{base}.target", [row["summary"] for row in rows]),
    ]


def squad_qg(split: str, rows: list[Any], rng: Random) -> Files:
    """SQuAD 1.1's JSON: one article of one-question paragraphs."""
    paragraphs = [
        {
            "context": row["context"],
            "qas": [
                {
                    "id": f"microworld-{split}-{index}",
                    "question": row["question"],
                    "answers": row["answers"],
                    "level": row["level"],
                    "twin": row["twin"],
                }
            ],
        }
        for index, row in enumerate(rows)
    ]
    whole = {"version": "1.1", "data": [{"title": "Microworld", "paragraphs": paragraphs}]}
    return [(f"squad_qg/{split}.json", [json.dumps(whole)])]


def yahoo(split: str, rows: list[Any], rng: Random) -> Files:
    """One document a line, and for the test the same lines with words blanked at five ratios."""
    name = "valid" if split == "dev" else split
    files: Files = [(f"yahoo/{name}.txt", rows)]
    if split == "test":
        for ratio in RATIOS:
            lines = [blanked(line, ratio, rng) for line in rows]
            files.append((f"yahoo/blank/test.maskratio{ratio}.blank", lines))
    return files


def lambada(split: str, rows: list[Any], rng: Random) -> Files:
    return [(f"lambada/lambada_{_val(split)}.jsonl", map(json.dumps, rows))]


def _jsonl(task: str, split: str, rows: list[Any]) -> Files:
    lines = [json.dumps({**row, "id": f"{split}-{index}"}) for index, row in enumerate(rows)]
    return [(f"{task}/{_val(split)}.jsonl", lines)]


def _val(split: str) -> str:
    return "val" if split == "dev" else split


FILES: dict[str, Callable[[str, list[Any], Random], Files]] = {
    "cnndm": cnndm,
    "xsum": xsum,
    "gigaword": gigaword,
    "squad_qg": squad_qg,
    "yahoo": yahoo,
    "lambada": lambada,
}
