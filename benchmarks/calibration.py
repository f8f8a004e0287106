"""How often the verdicts of `compare` are wrong, and what they detect: simulated comparisons whose truth is known.

Each is decided by the code that decides a real one (with fewer draws). A run's figure is its model's mean + what its
seed did (normal, standard deviation 1, or in the ratios given) + what each of 853 test items did (normal, correlated
0.7 between models, so that items alone spread a difference with a standard deviation of 1.1).
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.tables import markdown, save
from seqlab.comparison.design import Sample
from seqlab.comparison.statistics import analyse
from seqlab.core.metric import Metric

Floats = npt.NDArray[np.float64]
_ITEMS = 853
_SCORE = Metric(0.0, "", higher_is_better=True)
COLUMNS = ("models", "seeds", "seed sd", "true gap", "false difference", "gap found", "paired t over seeds alone")


@dataclass(frozen=True)
class Case:
    """One row. spread: each model's standard deviation over seeds. gap: of the first model, in units of the least of
    those. item_spread: of the difference between two models' means when items are drawn again. disagreement: how much
    a run's figure varies by what its seed does to single items, in the same unit. shared: the correlation of models
    within a seed, as a common order of data makes it. last: seeds of the last model, where it has fewer."""

    seeds: int
    spread: tuple[float, ...]
    gap: float = 0.0
    item_spread: float = 1.1
    disagreement: float = 0.0
    shared: float = 0.0
    last: int | None = None

    def about(self) -> str:
        """The spread in words."""
        text = " : ".join(f"{value:g}" for value in self.spread)
        text = "equal" if len(set(self.spread)) == 1 else text
        text += f", runs disagree on items ({self.disagreement:g})" if self.disagreement else ""
        text += f", correlated {self.shared:g} within a seed" if self.shared else ""
        text += f", the last model with {self.last} seeds" if self.last is not None else ""
        return text + (", items not the limit" if self.item_spread < 0.5 else "")


EQUAL, UNEQUAL = (1.0,) * 4, ((1.0, 1.0, 2.0, 2.0), (1.0, 2.0, 3.0, 4.0), (1.0, 1.0, 1.0, 3.0))
CASES = [
    *(Case(seeds, spread) for seeds in (3, 5, 10) for spread in (EQUAL, *UNEQUAL)),
    *(Case(seeds, EQUAL, disagreement=1.0) for seeds in (3, 5)),
    *(Case(seeds, EQUAL, shared=0.5) for seeds in (3, 5)),
    *(Case(seeds, EQUAL[:2]) for seeds in (3, 5)),
    *(Case(seeds, EQUAL, gap=3.0, item_spread=0.1) for seeds in (3, 5)),
    *(Case(seeds, EQUAL[:2], gap=3.0, item_spread=0.1) for seeds in (3, 5)),
    *(Case(seeds, spread, item_spread=0.1) for seeds in (2, 3, 5) for spread in (EQUAL, UNEQUAL[2])),
    *(Case(10, (1.0, sd), item_spread=0.1, last=2) for sd in (1.0, 2.0, 5.0)),
    *(Case(3, (1.0, 1.0, 1.0, sd), item_spread=0.1, last=2) for sd in (1.0, 3.0)),
]


def simulate(case: Case, rng: np.random.Generator) -> Floats:
    """(M, S, N) figures item by item."""
    models, seeds = len(case.spread), case.seeds
    common = rng.normal(size=(1, seeds)) * np.sqrt(case.shared)
    by_seed = common + rng.normal(size=(models, seeds)) * np.sqrt(1 - case.shared)
    by_seed = by_seed * np.array(case.spread)[:, None]
    by_seed[0] += case.gap
    item_sd = case.item_spread * np.sqrt(_ITEMS / (2 * 0.3))
    common_N = rng.normal(size=(1, _ITEMS)) * np.sqrt(0.7)
    by_item = item_sd * (common_N + rng.normal(size=(models, _ITEMS)) * np.sqrt(0.3))
    figures = by_seed[:, :, None] + by_item[:, None, :]
    if case.disagreement:
        figures = figures + rng.normal(size=(models, seeds, _ITEMS)) * case.disagreement * np.sqrt(_ITEMS)
    return np.asarray(figures)


def decided(figures_MSN: Floats, draws: int, seed: int, last: int | None = None) -> set[tuple[int, int]]:
    """The pairs that `compare` calls different. last: seeds of the last model, where it has fewer."""
    counts = [len(figures_MSN[0])] * len(figures_MSN)
    counts[-1] = counts[-1] if last is None else last
    samples = {
        str(model): Sample(
            dict(enumerate(runs[:count].mean(1).tolist())),
            {place: items.tolist() for place, items in enumerate(runs[:count])},
        )
        for model, (runs, count) in enumerate(zip(figures_MSN, counts, strict=True))
    }
    pairs = analyse(samples, _SCORE, draws=draws, seed=seed).pairs
    return {(int(pair.first), int(pair.second)) for pair in pairs if pair.significant}


def paired_over_seeds(figures_MSN: Floats) -> set[tuple[int, int]]:
    """The pairs that Student's paired t over seeds with Holm's correction calls different: a verdict about one test
    set, whose items are the same in all runs."""
    from scipy.stats import t

    means_MS = figures_MSN.mean(2)
    first, second = np.triu_indices(len(means_MS), 1)
    gains_PS = means_MS[first] - means_MS[second]
    seeds = gains_PS.shape[1]
    size_P = np.abs(gains_PS.mean(1)) / (gains_PS.std(1, ddof=1) / np.sqrt(seeds))
    found = set[tuple[int, int]]()
    for rank, place in enumerate(np.argsort(-size_P)):
        if 2 * t.sf(size_P[place], seeds - 1) * (len(size_P) - rank) >= 0.05:
            break
        found.add((int(first[place]), int(second[place])))
    return found


def shares(case: Case, comparisons: int, draws: int, seed: int = 0) -> tuple[float, float, float]:
    """(false differences, gap found, false differences of the paired t): the shares of comparisons in which any pair of
    equal models is called different, and any pair with the unequal model."""
    rng, wrong, found, old = np.random.default_rng(seed), 0, 0, 0
    for number in range(comparisons):
        figures_MSN = simulate(case, rng)

        def false(pairs: set[tuple[int, int]]) -> bool:
            return any(case.gap == 0 or 0 not in pair for pair in pairs)

        pairs = decided(figures_MSN, draws, number, case.last)
        wrong += false(pairs)
        found += any(0 in pair for pair in pairs)
        old += false(paired_over_seeds(figures_MSN[:, : case.last]))
    return wrong / comparisons, found / comparisons, old / comparisons


def row(case: Case, comparisons: int, draws: int) -> dict[str, object]:
    """One row, with its case."""
    wrong, found, old = shares(case, comparisons, draws)
    return {"case": asdict(case), "wrong": wrong, "found": found if case.gap else None, "paired": old}


def table(stored: dict[str, Any]) -> str:
    """The docs' table."""
    error = NormalDist().inv_cdf(0.975) * math.sqrt(0.05 * 0.95 / stored["comparisons"])
    rows = []
    for found in stored["rows"]:
        plain = found["case"]
        case = Case(**{**plain, "spread": tuple(plain["spread"])})
        gap = "" if found["found"] is None else f"{found['found']:.1%}"
        cells = (len(case.spread), case.seeds, case.about(), f"{case.gap:g} sd" if case.gap else "none")
        rows.append((*cells, f"{found['wrong']:.1%}", gap, f"{found['paired']:.1%}"))
    about = f"{stored['comparisons']:,} comparisons a row: 5 % is known to {error:.1%}."
    return f"{markdown(COLUMNS, rows)}\n\n{about}"


def main() -> None:
    """Simulate every case and store the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1500, help="a row")
    parser.add_argument("--draws", type=int, default=2000, help="of each comparison; a real one has 20,000")
    options = parser.parse_args()
    rows = []
    for case in CASES:
        rows.append(row(case, options.comparisons, options.draws))
        print(json.dumps(rows[-1]), flush=True)
    save("calibration", "verdicts", {"comparisons": options.comparisons, "draws": options.draws, "rows": rows})


if __name__ == "__main__":
    main()
