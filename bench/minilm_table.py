"""MiniLM finetuned here and by plain `transformers`, side by side.

    python -m bench.minilm_table STORE PEER OUT

STORE is that of `ablations/minilm.yaml`, PEER what `bench.minilm_peer` wrote. Prints the table and
writes OUT/comparison.json: each task's accuracies by seed, their means with intervals for another
seed and other examples of the kind, the floor (the commonest answer of dev), and the difference,
paired by example. Tasks that the peer has not done are left out.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from results.statistics import Error
from tasks.atomic import write_json


def ours(store: Path, task: str) -> tuple[np.ndarray, list[float]]:
    """right_SN by seed and example, and the seconds of each training."""
    import pandas as pd

    right, seconds = [], []
    for spec in sorted(store.glob(f"finetune/*-{task}-*/spec.json")):
        answers = pd.read_parquet(spec.parent / "predictions.parquet")
        right.append([c in g for c, g in zip(answers["choice"], answers["gold"], strict=True)])
        seconds.append(json.loads((spec.parent / "ledger.json").read_text())["seconds"])
    return np.array(right, float), seconds


def theirs(lines: list[dict[str, Any]], task: str) -> tuple[np.ndarray, list[float]]:
    """The same of the peer, its seeds in order."""
    found = sorted((each for each in lines if each["task"] == task), key=lambda each: each["seed"])
    right = [np.equal(each["gold"], each["choice"]) for each in found]
    return np.array(right, float), [each["train_seconds"] for each in found]


def interval(mean: float, error: Error) -> list[float]:
    """The 95% interval in points."""
    half = error.quantile(0.05) * error.deviation
    return [round(100 * (mean - half), 1), round(100 * (mean + half), 1)]


def estimate(right_SN: np.ndarray) -> dict[str, Any]:
    """Accuracies by seed, and their mean with its interval, in points."""
    by_seed = right_SN.mean(1)
    seeds, examples = right_SN.shape
    error = Error(by_seed.var(ddof=1) / seeds, seeds - 1, right_SN.mean(0).var(ddof=1) / examples)
    mean = float(by_seed.mean())
    return {
        "by_seed": [round(100 * float(each), 1) for each in by_seed],
        "mean": round(100 * mean, 1),
        "interval": interval(mean, error),
    }


def compared(a_SN: np.ndarray, b_SN: np.ndarray) -> dict[str, Any]:
    """The difference a - b, paired by example, in points."""
    seeds, examples = a_SN.shape
    spread = (a_SN.mean(1).var(ddof=1) + b_SN.mean(1).var(ddof=1)) / seeds
    apart_N = a_SN.mean(0) - b_SN.mean(0)
    error = Error(spread, 2 * (seeds - 1), apart_N.var(ddof=1) / examples)
    low, high = interval(float(apart_N.mean()), error)
    return {
        "mean": round(100 * float(apart_N.mean()), 1),
        "interval": [low, high],
        "within_noise": bool(low <= 0 <= high),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    for name in ("store", "peer", "out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.peer.read_text().splitlines()]
    found = {}
    print("| task | rows | floor | here | transformers | difference | s here | s there |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for task in dict.fromkeys(each["task"] for each in lines):
        gold = np.array(next(each["gold"] for each in lines if each["task"] == task))
        floor = round(100 * float(np.bincount(gold).max()) / len(gold), 1)
        (a_SN, seconds), (b_SN, there) = ours(asked.store, task), theirs(lines, task)
        if a_SN.shape != b_SN.shape or len(a_SN) < 2:
            print(f"{task}: {len(a_SN)} seeds here, {len(b_SN)} there: left out")
            continue
        mine, other, apart = estimate(a_SN), estimate(b_SN), compared(a_SN, b_SN)
        found[task] = {
            "examples": len(gold),
            "floor": floor,
            "here": {**mine, "seconds": seconds},
            "transformers": {**other, "seconds": there},
            "difference": apart,
        }
        told = [
            f"{each['mean']} [{each['interval'][0]}, {each['interval'][1]}]"
            for each in (mine, other, apart)
        ]
        times = (f"{np.mean(seconds):.0f}", f"{np.mean(there):.0f}")
        print(f"| {' | '.join([task, str(len(gold)), str(floor), *told, *times])} |")
    asked.out.mkdir(parents=True, exist_ok=True)
    write_json(asked.out / "comparison.json", found)


if __name__ == "__main__":
    main()
