"""Which values a search tries for one model, in which order, and when it stops. No run is made here."""

from __future__ import annotations

from collections.abc import Callable

from seqlab.comparison.options import Tuning
from seqlab.config.run import RunConfig
from seqlab.core.metric import Criterion, choose
from seqlab.errors import ConfigError

_FACTOR = 2.0
_CARE = "read with care"


class Trials:
    """The search of one model: the given values; or `tune.count` around its own, a factor of two apart, then, as long
    as the best lies at an edge, one value beyond it at a time, `tune.extra` at most.

    validated: the values tried, in that order, each with its validation; None where training diverged or the metric is
    not finite, which is worse than everything, so that the search never goes beyond it. stop_reason: why no more is
    tried; '' before that.
    """

    def __init__(self, tune: Tuning, config: RunConfig, label: str) -> None:
        self.tune = tune
        self.initial = initial_values(tune, config, label)
        self.is_integer = isinstance(_own(tune, config), int)
        self.validated: dict[str, Criterion | None] = {}
        self.stop_reason = ""

    @property
    def best(self) -> str | None:
        """The value that validated best so far; None if no validation was a number."""
        return choose((value, criterion) for value, criterion in self.validated.items() if criterion is not None)

    @property
    def at_edge(self) -> bool:
        """Whether a search that has ended found its best value at an edge, so that a better one may lie beyond."""
        return self.stop_reason.endswith(_CARE)

    def next_values(self, is_possible: Callable[[str], bool]) -> list[str]:
        """The values to try next; none at the end. is_possible: whether the setting can take a value."""
        if not self.validated:
            return self.initial
        best = self.best
        if best is None:
            return []
        values = list(map(float, self.validated))
        ends = {_FACTOR: max(values), 1 / _FACTOR: min(values)}
        factors = [factor for factor, end in ends.items() if float(best) == end]
        beyond = [shown(float(best) * factor, is_integer=self.is_integer) for factor in factors]
        usable = [value for value in beyond if value not in self.validated and is_possible(value)]
        extra = list(self.validated)[len(self.initial) :]
        if not factors:
            why = "best inside"
        elif self.tune.values:
            why = f"best at the edge of the given values, {_CARE}"
        elif not usable:
            why = f"best at the edge, and {self.tune.key} cannot be {' or '.join(beyond)}: {_CARE}"
        elif len(extra) < self.tune.extra:
            return usable[:1]
        else:
            why = f"bound of {self.tune.extra} more reached: best at the edge, {_CARE}"
        self.stop_reason = f"went on at the edge with {', '.join(extra)}; {why}" if extra else why
        return []


def initial_values(tune: Tuning, config: RunConfig, label: str) -> list[str]:
    """The given values, or as many as asked for around the model's own, a factor of two apart. Raises ConfigError if
    that is not a positive number."""
    if tune.values:
        return [f"{value:g}" for value in tune.values]
    own = _own(tune, config)
    if isinstance(own, bool) or not isinstance(own, int | float) or own <= 0:
        raise ConfigError(
            f"--tune {tune.key}: {label} has {tune.key}={own}; a search starts from a positive number",
            f"give the values: --tune {tune.key}=A,B,C",
        )
    values = [own * _FACTOR ** (index - tune.count // 2) for index in range(tune.count)]
    return list(dict.fromkeys(shown(value, is_integer=isinstance(own, int)) for value in values))


def shown(value: float, *, is_integer: bool) -> str:
    """A value as an override has it; of a setting that counts something a whole number, 1 at least."""
    return str(max(1, round(value))) if is_integer else f"{value:.4g}"


def _own(tune: Tuning, config: RunConfig) -> object:
    group, _, name = tune.key.partition(".")
    return getattr(getattr(config, group), name, None)
