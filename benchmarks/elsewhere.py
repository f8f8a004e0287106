"""Contenders for the process of any checkout: this file is imported alone there, everything else is that checkout's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import seqlab
from benchmarks.generation import Row
from benchmarks.ours import seqlab as training_steps

CHECKOUT = str(Path(seqlab.__file__).parent.parent)


def training(pace: Any, facts: dict[str, Any], overrides: tuple[str, ...]) -> None:
    """A step of training."""
    facts["checkout"] = CHECKOUT
    training_steps(pace, facts, overrides)


def generating(pace: Any, facts: dict[str, Any], overrides: tuple[str, ...], length: int) -> None:
    """A text of so many tokens. overrides: the model first."""
    facts |= {"checkout": CHECKOUT, "tokens_per_step": length}
    generate, _ = Row("", overrides, prompt=8, ours=length, theirs=1).sides()
    while True:
        generate()
        pace()
