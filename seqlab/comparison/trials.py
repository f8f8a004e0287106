"""Which values a search tries for one model, in which order, and when that is enough. No run is made here."""

from __future__ import annotations

from collections.abc import Callable

from seqlab.comparison.request import Tune
from seqlab.config.run import RunConfig
from seqlab.core.metric import Criterion, choose
from seqlab.errors import ConfigError

_FACTOR = 2.0
_CARE = "read with care"


class Trials:
    """The search of one model: the given values; or `tune.count` around its own, a factor of two apart, and from the
    best of them on as long as that lies at an edge, one at a time, `tune.more` at most.

    reached: what was tried, in that order, and what it validated with; None for what diverged or came to no number,
    which is worse than everything, so that nobody goes beyond it. ended: why no more is tried; '' before that.
    """

    def __init__(self, tune: Tune, config: RunConfig, label: str) -> None:
        self.tune = tune
        self.first = first_values(tune, config, label)
        self.whole = isinstance(_own(tune, config), int)
        self.reached: dict[str, Criterion | None] = {}
        self.ended = ""

    @property
    def best(self) -> str | None:
        """The value that validated best so far; None if none came to a number."""
        return choose((value, criterion) for value, criterion in self.reached.items() if criterion is not None)

    @property
    def at_edge(self) -> bool:
        """Whether a search that has ended did not see on which side of its best value it gets worse."""
        return self.ended.endswith(_CARE)

    def due(self, is_possible: Callable[[str], bool]) -> list[str]:
        """The values to try next; none at the end. is_possible: whether the setting can have a value."""
        if not self.reached:
            return self.first
        best = self.best
        if best is None:
            return []
        values = list(map(float, self.reached))
        ends = {_FACTOR: max(values), 1 / _FACTOR: min(values)}
        factors = [factor for factor, end in ends.items() if float(best) == end]
        beyond = [shown(float(best) * factor, whole=self.whole) for factor in factors]
        usable = [value for value in beyond if value not in self.reached and is_possible(value)]
        extra = list(self.reached)[len(self.first) :]
        if not factors:
            why = "best inside"
        elif self.tune.values:
            why = f"best at the edge of the given values, {_CARE}"
        elif not usable:
            why = f"best at the edge, and {self.tune.key} cannot be {' or '.join(beyond)}: {_CARE}"
        elif len(extra) < self.tune.more:
            return usable[:1]
        else:
            why = f"bound of {self.tune.more} more reached: best at the edge, {_CARE}"
        self.ended = f"went on at the edge with {', '.join(extra)}; {why}" if extra else why
        return []


def first_values(tune: Tune, config: RunConfig, label: str) -> list[str]:
    """The given values, or as many as asked for around the model's own, a factor of two apart. Raises ConfigError where
    that is no positive number."""
    if tune.values:
        return [f"{value:g}" for value in tune.values]
    own = _own(tune, config)
    if isinstance(own, bool) or not isinstance(own, int | float) or own <= 0:
        raise ConfigError(
            f"--tune {tune.key}: {label} has {tune.key}={own}; a search starts from a positive number",
            f"give the values: --tune {tune.key}=A,B,C",
        )
    values = [own * _FACTOR ** (index - tune.count // 2) for index in range(tune.count)]
    return list(dict.fromkeys(shown(value, whole=isinstance(own, int)) for value in values))


def shown(value: float, *, whole: bool) -> str:
    """A value as an override has it; of a setting that counts something a whole number, 1 at least."""
    return str(max(1, round(value))) if whole else f"{value:.4g}"


def _own(tune: Tune, config: RunConfig) -> object:
    group, _, name = tune.key.partition(".")
    return getattr(getattr(config, group), name, None)
