"""What is searched: the same space for every family, each draw as wide as one parameter budget allows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from torch.quasirandom import SobolEngine

from seqlab.comparison.sizes import changes, sizes_of
from seqlab.interfaces import ModelConfig, Task

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


def scattered(count: int, seed: int) -> list[Draw]:
    """Draws over the whole space: a scrambled Sobol sequence (Owen 1998), so that eight have a learning rate in each
    eighth of its range and each depth twice, and no family wins by the luck of the draw."""
    low, high = (math.log(rate) for rate in LEARNING_RATE)
    return [
        Draw(
            _rounded(math.exp(low + rate * (high - low))),
            LAYERS[int(layers * len(LAYERS))],
            DROPOUT[int(dropout * len(DROPOUT))],
            WARMUP_STEPS[int(warmup * len(WARMUP_STEPS))],
        )
        for rate, layers, dropout, warmup in SobolEngine(4, scramble=True, seed=seed).draw(count).tolist()
    ]


def near(best: Draw, count: int, rng: random.Random) -> list[Draw]:
    """Draws around the best so far: a learning rate within a factor of two, and of each other setting the same value or
    one beside it. None goes beyond what the space holds."""
    low, high = LEARNING_RATE
    return [
        Draw(
            _rounded(min(high, max(low, best.learning_rate * 2 ** rng.uniform(-1, 1)))),
            _beside(LAYERS, best.layers, rng),
            _beside(DROPOUT, best.dropout, rng),
            _beside(WARMUP_STEPS, best.warmup_steps, rng),
        )
        for _ in range(count)
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
