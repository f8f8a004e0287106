"""How often the statistics of `compare` are wrong: `python -m benchmarks.false_positives`.

Simulated comparisons whose truth is known, each decided by the same code as a real one. Values over seeds are normal
with standard deviation 1; a gap is in units of it.
"""

from __future__ import annotations

import numpy as np

from seqlab.comparison.statistics import compare_all

COMPARISONS = 1000


def shares(models: int, seeds: int, gap: float, correlation: float, rng: np.random.Generator) -> tuple[float, float]:
    """(how many comparisons declare any difference between models that are equal, how many find the gap of the
    first). correlation: of models within a seed, as shared data order makes it."""
    wrong = found = 0
    for _ in range(COMPARISONS):
        common = rng.normal(size=(1, seeds)) * np.sqrt(correlation)
        values = common + rng.normal(size=(models, seeds)) * np.sqrt(1 - correlation)
        values[0] += gap
        tables = {str(model): dict(enumerate(row.tolist())) for model, row in enumerate(values)}
        pairs = [pair for pair in compare_all(tables, higher_is_better=True) if pair.significant]
        wrong += any(gap == 0 or "0" not in (pair.first, pair.second) for pair in pairs)
        found += any(pair.first == "0" for pair in pairs)
    return wrong / COMPARISONS, found / COMPARISONS


def bootstrap_share(seeds: int, rng: np.random.Generator) -> float:
    """The same false alarms if pairs were judged by a percentile bootstrap over seeds."""
    wrong = 0
    for _ in range(COMPARISONS):
        gains = rng.normal(size=seeds)
        means = gains[rng.integers(0, seeds, size=(1000, seeds))].mean(1)
        low, high = np.percentile(means, (2.5, 97.5))
        wrong += not low <= 0 <= high
    return wrong / COMPARISONS


def main() -> None:
    """Print one table."""
    rng = np.random.default_rng(0)
    print(f"{COMPARISONS} simulated comparisons a row\n")
    print("| models | seeds | true gap, sd | correlation within a seed | false difference declared | gap found |")
    print("| --- | --- | --- | --- | --- | --- |")
    for models, seeds, gap, correlation in (
        (2, 5, 0.0, 0.0),
        (2, 5, 0.0, 0.5),
        (4, 5, 0.0, 0.0),
        (2, 3, 0.0, 0.0),
        (4, 3, 0.0, 0.0),
        (2, 5, 3.0, 0.0),
        (2, 5, 3.0, 0.5),
        (2, 3, 3.0, 0.0),
        (4, 5, 3.0, 0.0),
    ):
        wrong, found = shares(models, seeds, gap, correlation, rng)
        print(f"| {models} | {seeds} | {gap:g} | {correlation:g} | {wrong:.1%} | {f'{found:.1%}' if gap else ''} |")
    print(f"\npercentile bootstrap over 5 seeds, 2 equal models: {bootstrap_share(5, rng):.1%} declared different")


if __name__ == "__main__":
    main()
