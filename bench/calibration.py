"""How often intervals cover and verdicts err, by simulating runs with known components.

    python -m bench.calibration          # 3,000 columns a scenario, some ten minutes on one core
    python -m bench.calibration --quick  # 500

The runs go through the code that reads a store's records: cells, gates, tables, claims. The table
that is printed stands in `docs/statistics.md`; `tests/results/test_calibration.py` is its short
form. Two systems of equal accuracy (70%) are compared in every column, so every verdict is false.
"""

import argparse

import numpy as np

from results import claims
from tests.results import simulation
from tests.results.simulation import SCENARIOS, World, coverage, drawn

FAMILY = 9
HEADS = (
    *("Seeds, questions", "Covers: this test set", "such texts", "difference"),
    *("False verdict: a claim", "a family of 9", "Detectable, points"),
)


def row(name: str, world: World, draws: int, seed: int) -> list[str]:
    """One scenario's line of the table."""
    found = drawn(world, (70, 70), draws, np.random.default_rng(seed))
    asked = simulation.claims(draws)
    verdicts = claims.check([found.table], asked)
    known = [v.difference for v in verdicts if v.difference and v.difference.error]
    p_values = np.array([d.p for d in known if d.p is not None])
    families = [
        any(simulation.false_verdicts(found.table, asked[first : first + FAMILY]))
        for first in range(0, draws - FAMILY + 1, FAMILY)
    ]
    detectable = np.median([d.detectable for d in known if d.detectable is not None])
    return [
        name,
        *(f"{100 * np.mean(coverage(found, e)):.1f}" for e in ("this test set", "such texts")),
        f"{100 * np.mean(p_values > 0.05):.1f}",
        f"{100 * np.mean(p_values <= 0.05):.1f}",
        f"{100 * np.mean(families):.1f}",
        f"{detectable:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 columns a scenario")
    draws = 500 if parser.parse_args().quick else 3000
    print(f"| {' | '.join(HEADS)} |")
    print("|---" * len(HEADS) + "|")
    for seed, (name, world) in enumerate(SCENARIOS.items()):
        print(f"| {' | '.join(row(name, world, draws, 1000 + seed))} |", flush=True)


if __name__ == "__main__":
    main()
