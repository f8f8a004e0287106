"""Hydra's sweep grammar: which settings an override gives several values, and which."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep, Sweep
from hydra.errors import HydraException

from seqlab.config.sources import GROUPS, group_files
from seqlab.data.files import exists, expanded
from seqlab.errors import ConfigError

MOST_VALUES = 1000
_TAGS = {"log", "int"}
_NEAR = 0.05  # of an interval


@dataclass(frozen=True)
class Axis:
    """A swept setting.

    values: as overrides spell them, in order; none for an interval. ordered: the values are a range.
    low, high: the ends of an interval. log: it is searched on a logarithmic scale. whole: in whole numbers.
    """

    key: str
    values: tuple[str, ...] = ()
    ordered: bool = False
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    @property
    def is_interval(self) -> bool:
        """Whether it is continuous, so that no grid can list its values."""
        return not self.values

    @property
    def is_group(self) -> bool:
        """Whether it chooses the option of a group, such as model."""
        return self.key in GROUPS

    @property
    def is_named(self) -> bool:
        """Whether some of its values are no numbers."""
        try:
            return any(math.isnan(float(value)) for value in self.values)
        except ValueError:
            return True

    @property
    def middle(self) -> str:
        """A value in the middle."""
        if self.values:
            return self.values[len(self.values) // 2]
        return self.spelled(math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2)

    def spelled(self, value: float) -> str:
        """A value of the interval as an override has it, with four digits if that stays inside."""
        if self.whole:
            return str(round(value))
        short = f"{value:.4g}"
        return short if self.low <= float(short) <= self.high else repr(value)

    def place(self, value: str) -> float:
        """Where a value stands among all, from 0 to 1: of an interval, on its scale; else by its place in the list."""
        if self.values:
            return self.values.index(value) / max(1, len(self.values) - 1)
        scale = math.log if self.log else float
        low, high = scale(self.low), scale(self.high)
        return (scale(float(value)) - low) / (high - low)

    def at_edge(self, value: str) -> bool:
        """Whether a number is the least or greatest of three or more, or near the end of an interval."""
        if self.is_interval:
            return not _NEAR < self.place(value) < 1 - _NEAR
        numbers = [] if self.is_named else sorted(map(float, self.values))
        return len(numbers) > 2 and float(value) in (numbers[0], numbers[-1])

    def __str__(self) -> str:
        if self.values:
            return ", ".join(self.values)
        kind = ", in whole numbers" if self.whole else ""
        return f"{self.low:g} to {self.high:g}{kind}{', on a logarithmic scale' if self.log else ''}"


def read_axes(words: Iterable[str], config_dir: Path | None = None) -> dict[str, Axis]:
    """The axes of a sweep by the word that was typed. What cannot be parsed is left to composing, which explains it.

    Raises ConfigError for a sweep without values, of too many, or in random order.
    """
    found: dict[str, Axis] = {}
    for word in words:
        try:
            (override,) = OverridesParser.create().parse_overrides([word])
        except (HydraException, ValueError):
            continue
        if override.is_sweep_override() and not exists(expanded(word.partition("=")[2])):  # a file with a comma
            found[word] = _axis(word, override, config_dir)
    return found


def _axis(word: str, override: Override, config_dir: Path | None) -> Axis:
    swept: Any = override.value()  # it may also be a Glob, which Hydra's annotation lacks
    key = override.key_or_group
    if word.startswith(("+", "~")):
        raise ConfigError(f"'{word}': a sweep gives values to settings that exist", f"leave {word[0]} out")
    if isinstance(swept, Sweep) and (unknown := sorted(swept.tags - _TAGS)):
        raise ConfigError(f"'{word}': there is no tag '{unknown[0]}'", f"tags: {', '.join(sorted(_TAGS))}")
    if isinstance(swept, IntervalSweep):
        return _interval(word, key, swept)
    if isinstance(swept, Sweep) and swept.tags:
        raise ConfigError(f"'{word}': a tag says how an interval is searched", f"leave it out: {key}=A,B,C")
    if getattr(swept, "shuffle", False):
        raise ConfigError(f"'{word}': the same command must find the same trials", "leave shuffle out")
    if isinstance(swept, Glob):
        if key not in GROUPS:
            raise ConfigError(f"'{word}': glob chooses among files", f"it fits {', '.join(GROUPS)}")
        values = [*swept.filter(list(group_files(key, config_dir)))]
    else:
        try:
            values = [*islice(override.sweep_string_iterator(), MOST_VALUES + 1)]
        except (HydraException, ValueError, ArithmeticError) as error:  # a step of 0
            raise ConfigError(f"'{word}' cannot be read: {error}", "range(START,STOP,STEP) ends before STOP") from error
    if not values:
        remedy = "range(START,STOP,STEP) ends before STOP" if isinstance(swept, RangeSweep) else "give it some"
        raise ConfigError(f"'{word}' has no values", remedy)
    if len(values) > MOST_VALUES:
        raise ConfigError(f"'{word}' has more than {MOST_VALUES:,} values", f"try {key}=interval(A,B) with --search")
    return Axis(key, tuple(dict.fromkeys(values)), ordered=isinstance(swept, RangeSweep))


def _interval(word: str, key: str, swept: IntervalSweep) -> Axis:
    low, high = float(swept.start or 0), float(swept.end or 0)
    log = "log" in swept.tags
    if not low < high < math.inf:
        raise ConfigError(f"'{word}' is no interval", "interval(LOW,HIGH), LOW less than HIGH")
    if log and low <= 0:
        raise ConfigError(f"'{word}': a logarithmic scale begins above 0", "try tag(log, interval(1e-4,1e-1))")
    return Axis(key, low=low, high=high, log=log, whole=isinstance(swept.start, int) or "int" in swept.tags)


def in_whole_numbers(axis: Axis) -> Axis:
    """The interval as one of whole numbers. Raises ConfigError if there is none inside."""
    low, high = math.ceil(axis.low), math.floor(axis.high)
    if low >= high:
        raise ConfigError(f"{axis.key}: there are no two whole numbers from {axis.low:g} to {axis.high:g}")
    return replace(axis, low=low, high=high, whole=True)
