"""Contenders that run in any checkout: only this file is imported there, everything else is that checkout's."""

from __future__ import annotations

from pathlib import Path

import seqlab
from benchmarks.generation import Row
from benchmarks.harness import Facts, Pace
from benchmarks.ours import seqlab as training_steps

CHECKOUT = str(Path(seqlab.__file__).parent.parent)


def training(pace: Pace, facts: Facts, overrides: tuple[str, ...]) -> None:
    """A contender: training steps."""
    facts["checkout"] = CHECKOUT
    training_steps(pace, facts, overrides)


def generating(pace: Pace, facts: Facts, overrides: tuple[str, ...], length: int) -> None:
    """A contender: texts of `length` characters. overrides: the model first."""
    facts["checkout"], facts["tokens_per_step"] = CHECKOUT, length
    generate, _ = Row("", overrides, prompt=8, ours=length, theirs=1).sides()
    while True:
        generate()
        pace()
