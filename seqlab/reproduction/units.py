"""Units of published figures by name, and figures of one unit in another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from seqlab.errors import ConfigError


@dataclass(frozen=True)
class _Unit:
    """quantity: what it measures; only units of one quantity can be converted. to_base, from_base: both are
    increasing, so that the ends of an interval stay in order."""

    quantity: str
    to_base: Callable[[float], float]
    from_base: Callable[[float], float]


def _scaled(quantity: str, factor: float) -> _Unit:
    return _Unit(quantity, lambda value: value * factor, lambda value: value / factor)


_SHARES = {"share": _scaled("share", 1.0), "percent": _scaled("share", 0.01)}
_INFORMATION = {"nats": _scaled("information", 1.0), "bits": _scaled("information", math.log(2))}
_OTHERS = ("BLEU", "chrF", "squared error")


def _unit(name: str) -> _Unit | None:
    """`nats/X`, `bits/X` and `perplexity/X` are amounts of information per X, whatever X is."""
    amount, _, per = name.partition("/")
    if name in _SHARES:
        return _SHARES[name]
    if per and amount in _INFORMATION:
        found = _INFORMATION[amount]
        return _Unit(f"information per {per}", found.to_base, found.from_base)
    if per and amount == "perplexity":
        return _Unit(f"information per {per}", math.log, math.exp)
    return _scaled(name, 1.0) if name in _OTHERS else None


def check_units(published: str, ours: str) -> None:
    """Raise ValueError, with the remedy, unless both units are known and one can be converted into the other."""
    known = (*_SHARES, "nats/X", "bits/X", "perplexity/X", *_OTHERS)
    for name in (published, ours):
        if _unit(name) is None:
            raise ValueError(f"there is no unit '{name}'; units: {', '.join(known)}, where X is char, word, ...")
    first, second = _unit(published), _unit(ours)
    if first is not None and second is not None and first.quantity != second.quantity:
        raise ValueError(
            f"a figure in {ours} cannot be converted into {published}; measure another metric, or give the published "
            f"figure in a unit of {second.quantity}"
        )


def converted(value: float, unit: str, into: str) -> float:
    """A value of one unit in another. Raises ConfigError for units that `check_units` refuses."""
    if unit == into:
        return value
    try:
        check_units(into, unit)
    except ValueError as error:
        what, _, hint = str(error).partition("; ")
        raise ConfigError(what, hint) from error
    source, target = _unit(unit), _unit(into)
    assert source is not None and target is not None  # noqa: PT018 (check_units)
    return target.from_base(source.to_base(value))
