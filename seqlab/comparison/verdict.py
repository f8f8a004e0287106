"""A difference between two models in words: the finding, what it generalises to, and the evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seqlab.comparison.against_baseline import AgainstBaseline, Gain
from seqlab.comparison.intervals import LEVEL, Interval
from seqlab.comparison.statistics import Difference, tested


def verdict(pair: Difference, unit: str, pairs: int) -> str:
    """The finding in words. `pairs`: how many were tested together."""
    names = f"{pair.first} and {pair.second}"
    gap = f"{_figures(pair.mean)} {unit}".rstrip()
    if pair.p is None:
        better = f"{pair.first} was better than {pair.second} by {gap}" if pair.mean else f"{names} were equal"
        return f"{better}, but a single seed allows no test ({_count(pair)})"
    if pair.mean == 0 and pair.tied == pair.shared == max(pair.seeds):
        return f"{names}: the same in all {pair.shared} seeds"
    evidence = f"{_count(pair)}, {_correction(pair, pairs)}p {_p(pair.p_corrected)}"
    if pair.interval is None:
        evidence += f"; no variance between runs: the sign test decides, {pair.won} of {pair.shared} seeds"
    over = (
        "over training seeds and test items" if pair.items is not None else "over training seeds, not over test items"
    )
    interval = "" if pair.interval is None else f", {_range(pair.interval)}"
    if pair.significant:
        return f"{pair.first} is better than {pair.second} by {gap}{interval}, {over} ({evidence})"
    alone = pair.p < 1 - LEVEL
    why = f"; significant only without correction for {pairs} pairs" if alone and pairs > 1 else ""
    ahead = f"{pair.first} ahead by {gap}" if pair.mean else "equal means"
    return f"{names}: no significant difference ({evidence}{why}): {ahead}{interval}, {over}"


def baseline_verdict(found: AgainstBaseline, unit: str) -> str:
    """Which models are better than the best baseline, or that none is, in words."""
    base = f"{found.name}, which needs no network ({_figures(found.value)} {unit})".replace(" )", ")")
    gains = [gain for gain in found.gains if gain.better]
    if gains:
        first, *others = (_gained(gain) for gain in gains)
        also = "".join(f"; {words}" for words in others)
        rest = len(found.gains) - len(gains)
        text = f"better than {base}: {first}{also}{f'; {rest} not' if rest else ''}"
    else:
        gains = [found.gains[0]]
        nearest = _gained(gains[0])
        better = "significantly better" if gains[0].mean > 0 else "better"
        text = f"no model is {better} than {base}; the nearest is {nearest}"
    if gains[0].interval is None:
        return f"{text}: a single seed allows no test"
    over = "training seeds, not over test items" if gains[0].items is None else "training seeds and test items"
    items = "" if gains[0].items is None else f" x {gains[0].items:,} items"
    return f"{text}, over {over} (n = {gains[0].seeds} seeds{items}, each model by itself)"


def _gained(gain: Gain) -> str:
    word = "better" if gain.mean > 0 else "worse" if gain.mean < 0 else "away"
    low, high = gain.interval or (0.0, 0.0)
    interval = "" if gain.interval is None else f", {_range((low, high) if gain.mean > 0 else (-high, -low))}"
    return f"{gain.label}, {_figures(abs(gain.mean))} {word}{interval}"


def _count(pair: Difference) -> str:
    """n, in seeds and items."""
    seeds = f"{pair.seeds[0]}" if pair.seeds[0] == pair.seeds[1] else f"{pair.seeds[0]} and {pair.seeds[1]}"
    items = "" if pair.items is None else f" x {pair.items:,} items"
    return f"n = {seeds} seed{'' if seeds == '1' else 's'}{items}"


def _correction(pair: Difference, pairs: int) -> str:
    """How p was corrected for several pairs (multiple_testing.py)."""
    if pairs == 1:
        return ""
    return "Bonferroni-corrected " if pair.interval is None else "Westfall-Young-corrected "


def correction_text(pairs: Sequence[Difference]) -> str:
    """For how many pairs p was corrected, and how; empty where nothing was to be corrected."""
    count = tested(pairs)
    if count < 2:
        return ""
    signs = any(pair.p is not None and pair.interval is None for pair in pairs)
    also = ", that of sign tests by Bonferroni's bound" if signs else ""
    return f"corrected for {count} pairs by Westfall and Young's step-down (1993){also}"


def _p(p: float | None) -> str:
    """Two significant figures of a p, which is known to about a draw in ten thousand."""
    if p is None:
        return "unknown"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _range(interval: Interval) -> str:
    low, high = (_figures(value) for value in interval)
    return f"95 % CI {low} to {high}"


def _figures(value: float) -> str:
    """Three decimals, or as many as the first two significant figures need."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(3, 1 - math.floor(math.log10(abs(value)))) if abs(value) < 10 else 1
    return f"{value:.{min(places, 6)}f}"
