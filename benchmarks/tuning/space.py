"""The search space, the same for every family; each draw is as wide as one parameter budget allows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from seqlab.comparison.sizes import changes, sizes_of
from seqlab.core.model import ModelConfig
from seqlab.core.task import Task

BODY = 600_000
"""Parameters of the sequence models, embeddings and head not counted: what the widest of a depth may have."""

LEARNING_RATE = (5e-4, 2e-2)  # between them evenly on a logarithmic scale
LAYERS = (1, 2, 3, 4)
DROPOUT = (0.0, 0.1, 0.2, 0.3, 0.5)
WARMUP_STEPS = (25, 50, 100, 200)
_WIDTH_STEP = 16  # kernels are quicker with such widths, and the heads divide them

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Draw:
    """One point of the search, without what follows from it and the family."""

    learning_rate: float
    layers: int
    dropout: float
    warmup_steps: int


FIRST = (
    Draw(0.004, 3, 0.0, 50),
    Draw(0.0025, 1, 0.3, 50),
    Draw(0.01, 2, 0.0, 200),
    Draw(0.0016, 3, 0.0, 200),
    Draw(0.0063, 1, 0.3, 200),
    Draw(0.001, 2, 0.3, 200),
    Draw(0.016, 2, 0.3, 50),
    Draw(0.00063, 1, 0.0, 50),
)
"""The first trials, over the whole space: learning rates a factor of 1.6 apart, and each pair of dropout and warm-up
with a small rate and with a large one."""


def near(best: Sequence[Draw], count: int, rng: random.Random) -> list[Draw]:
    """Draws around the best ones so far, in turns: a learning rate within a factor of two, and of each other setting
    the same value or one beside it. None goes beyond what the space holds."""
    low, high = LEARNING_RATE
    return [
        Draw(
            _rounded(min(high, max(low, centre.learning_rate * 2 ** rng.uniform(-1, 1)))),
            _beside(LAYERS, centre.layers, rng),
            _beside(DROPOUT, centre.dropout, rng),
            _beside(WARMUP_STEPS, centre.warmup_steps, rng),
        )
        for centre in (best[number % len(best)] for number in range(count))
    ]


def _beside(values: Sequence[_Value], value: _Value, rng: random.Random) -> _Value:
    place = values.index(value) + rng.choice((-1, 0, 0, 1))
    return values[min(max(place, 0), len(values) - 1)]


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")


def model_at(draw: Draw, model: ModelConfig, task: Task[Any]) -> ModelConfig:
    """The family at this depth and dropout, as wide as the budget allows: the largest multiple of 16 whose sequence
    models hold at most BODY parameters. A family without depth or dropout keeps what it has."""
    known = {field.name for field in fields(model)}
    asked: dict[str, Any] = {"layers": draw.layers, "dropout": draw.dropout}
    model = replace(model, **{key: value for key, value in asked.items() if key in known})
    widest: ModelConfig | None = None
    for width in range(_WIDTH_STEP, 4096, _WIDTH_STEP):
        candidate = next(iter(model.at_width(width)), None)
        if candidate is None:
            continue
        if sizes_of(task, candidate).body > BODY:
            break
        widest = candidate
    if widest is None:
        raise ValueError(f"no width of {type(model).__name__} fits into {BODY:,} parameters")
    return widest


def overrides(draw: Draw, before: ModelConfig, after: ModelConfig) -> tuple[str, ...]:
    """The trial as settings: everything that was drawn, whether or not it is the family's default, and what follows."""
    drawn = {
        "model.layers": draw.layers,
        "model.dropout": draw.dropout,
        "model.width": after.width,
        **dict(change.split("=", 1) for change in changes(before, after)),
        "optim.learning_rate": draw.learning_rate,
        "optim.warmup_steps": draw.warmup_steps,
    }
    return tuple(f"{key}={value}" for key, value in drawn.items())
