"""What the options of `seqlab compare` ask for: a budget, a size, a search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from seqlab.errors import ConfigError

_NUMBER = r"(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)"


_COUNT = re.compile(_NUMBER + r"(?P<prefix>[kMG]?)")


_BUDGET = re.compile(_NUMBER + r" ?(?P<prefix>[kMGTP]?)(?P<unit>s|min|h|tokens?|flops?|steps?)")


_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


_SHORT = {"lr": "optim.learning_rate"}


@dataclass(frozen=True)
class Budget:
    """How long each model trains. unit: seconds are those of training steps alone; flop counts operations of training.
    text: as it was given."""

    amount: float
    unit: Literal["seconds", "tokens", "flop", "steps"]
    text: str


@dataclass(frozen=True)
class Match:
    """The number of parameters that every model is brought to; body: without embeddings and head."""

    part: Literal["params", "body"]
    target: int


@dataclass(frozen=True)
class Tuning:
    """The search of a setting for each model: `count` values around the model's own, a factor of two apart, and beyond
    them where the best is at an edge; or these `values`."""

    key: str
    count: int
    values: tuple[float, ...]

    @property
    def extra(self) -> int:
        """How many values may be tried for a model beyond the initial ones."""
        return 0 if self.values else self.count


def read_count(text: str, where: str) -> int:
    """`500k`, `1.5M`, `2e6` or a plain whole number."""
    found = _COUNT.fullmatch(text)
    if not found or (value := round(float(found["number"]) * _PREFIX[found["prefix"]])) < 1:
        raise ConfigError(f"{where}: '{text}' is not a count", "write 500000, 500k, 1.5M or 2e6")
    return value


def read_match(text: str) -> Match:
    """`body=500k` or `params=500k`."""
    part, _, count = text.partition("=")
    if part == "body":
        return Match("body", read_count(count, f"--match {text}"))
    if part == "params":
        return Match("params", read_count(count, f"--match {text}"))
    raise ConfigError(
        f"--match {text}: there is no part '{part}'",
        "try --match body=500k (without embeddings and head) or params=500k",
    )


def read_budget(text: str) -> Budget:
    """`60s`, `5min`, `2Mtokens`, `1e14flop` or `1000steps`."""
    found = _BUDGET.fullmatch(text)
    amount = float(found["number"]) * _PREFIX[found["prefix"]] if found else 0.0
    if found is None or not 0 < amount < float("inf"):
        raise ConfigError(f"--budget {text} cannot be read", "try 60s, 5min, 2Mtokens, 1e14flop or 1000steps")
    unit = found["unit"]
    if unit in ("s", "min", "h"):
        return Budget(amount * {"s": 1, "min": 60, "h": 3600}[unit], "seconds", text)
    if unit.startswith("token"):
        return Budget(amount, "tokens", text)
    return Budget(amount, "flop" if unit.startswith("flop") else "steps", text)


def read_tuning(text: str) -> Tuning:
    """`lr=5` (that many values), `lr=0.001,0.003` (these), or any setting by its name."""
    name, _, rest = text.partition("=")
    key = _SHORT.get(name, name)
    try:
        values = tuple(float(part) for part in rest.split(","))
    except ValueError:
        values = ()
    # what it searches must change neither size nor data nor length: those are what is compared
    usable = key.startswith("optim.") or key == "model.dropout"
    if not usable or not values or not all(0 < value < float("inf") for value in values):
        raise ConfigError(
            f"--tune {text} cannot be read",
            "try --tune lr=5, lr=0.001,0.003 or optim.weight_decay=3 (optim.*, model.dropout)",
        )
    if len(values) > 1:
        return Tuning(key, len(values), tuple(sorted(set(values))))
    if values[0] != round(values[0]) or not 2 <= values[0] <= 20:
        raise ConfigError(f"--tune {text}: how many values, from 2 to 20?", f"try --tune {name}=5, or a list of values")
    return Tuning(key, int(values[0]), ())
