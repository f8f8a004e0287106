"""What the user asks of `seqlab sweep`, read from the words of the command line. No torch is needed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from seqlab.comparison.request import ModelSpec, Request
from seqlab.config.compose import settings
from seqlab.config.overrides import key_of
from seqlab.config.sources import GROUPS, default_option
from seqlab.config.sweeps import Axis, in_whole_numbers, read_axes
from seqlab.errors import ConfigError
from seqlab.executors.execution import Execution

MOST_TRIALS = 1000
_TRIALS = 20


@dataclass(frozen=True)
class Search:
    """How trials are chosen where they are not a grid. trials: how many. prune: whether the worse ones end early."""

    trials: int
    prune: bool


@dataclass(frozen=True)
class SweepRequest:
    """A whole command. words: as typed. axes: by the word that gives the values. models: one for each choice of the
    groups that are swept, in the middle of all other axes, as a comparison has them."""

    words: tuple[str, ...]
    axes: dict[str, Axis]
    search: Search | None
    models: Request

    @property
    def count(self) -> int:
        """How many trials there are."""
        return prod(len(axis.values) for axis in self.axes.values()) if self.search is None else self.search.trials

    def grid(self) -> Iterator[tuple[str, ...]]:
        """The swept settings of each trial of a grid, as overrides; the last axis changes first, as Hydra has it."""
        return product(*([f"{axis.key}={value}" for value in axis.values] for axis in self.axes.values()))

    def label(self, trial: Sequence[str]) -> str:
        """The label of the model of a trial, of whose swept settings `trial` is the overrides."""
        chosen = [word for word in trial if key_of(word) in GROUPS]
        return " ".join(word.partition("=")[2] for word in chosen) or self.models.models[0].label

    def command(self, trial: Sequence[str]) -> str:
        """The `seqlab train` of a trial, to be pasted: the words that were typed, each axis with its value."""
        values = {key_of(word): word for word in trial}
        given = (values[self.axes[word].key] if word in self.axes else word for word in self.words)
        return shlex.join(["seqlab", "train", *given])


def read_sweep(
    words: Sequence[str],
    *,
    search: str | None = None,
    trials: int | None = None,
    prune: bool = True,
    config_dir: Path | None = None,
) -> SweepRequest:
    """Parse the words and options of the command. Raises ConfigError for what is no sweep, and for settings that cannot
    be swept."""
    axes = read_axes(words, config_dir)
    if not axes:
        raise ConfigError(
            "there is nothing to sweep: no setting has several values",
            "try: seqlab sweep optim.learning_rate=1e-3,3e-3 'model.width=range(64,257,64)'",
            "one run: seqlab train; models over seeds: seqlab compare rnn lstm",
        )
    wanted = _search(search, trials, prune)
    for word, axis in axes.items():
        _check(word, axis, wanted)
    for key, times in Counter(map(key_of, words)).items():
        if times > 1:
            raise ConfigError(f"{key} is given {times} times", "keep one of them")
    fixed = [word for word in words if word not in axes]
    axes = _typed(axes, fixed, config_dir)
    count = prod(len(axis.values) for axis in axes.values())
    if wanted is None and count > MOST_TRIALS:
        sizes = " x ".join(str(len(axis.values)) for axis in axes.values())
        raise ConfigError(
            f"the grid has {count:,} trials ({sizes}), and {MOST_TRIALS:,} are the most",
            "give fewer values, or search it: --search optuna --trials 100",
        )
    return SweepRequest(tuple(words), axes, wanted, _models(axes, fixed))


def check_watched(request: SweepRequest, execution: Execution) -> None:
    """Refuse to prune runs that no process watches. Raises ConfigError."""
    if request.search is None or not request.search.prune or execution.is_watched:
        return
    raise ConfigError(
        f"--executor {execution.name}{' --submit' * execution.submit}: nobody watches the runs, so that no trial of "
        "the search could be pruned",
        "add --no-prune, or " + ("take another executor" if execution.name == "script" else "leave --submit out"),
    )


def _search(name: str | None, trials: int | None, prune: bool) -> Search | None:
    if name in (None, "grid"):
        if trials is not None:
            raise ConfigError(f"--trials {trials}: a grid has as many as it has", "add --search optuna, or drop it")
        return None
    if name != "optuna":
        raise ConfigError(f"--search {name}: there is no such search", "", "searches: grid, optuna")
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise ConfigError(f"--trials {trials}: from 1 to {MOST_TRIALS:,}")
    if find_spec("optuna") is None:
        raise ConfigError("--search optuna needs the package optuna", "try: pip install 'seqlab[tune]'")
    return Search(_TRIALS if trials is None else trials, prune)


def _check(word: str, axis: Axis, search: Search | None) -> None:
    """Refuse what cannot be swept."""
    if axis.is_interval and search is None:
        raise ConfigError(
            f"'{word}': a grid cannot list an interval", f"search it: --search optuna; or give values: {axis.key}=A,B,C"
        )
    if axis.key == "seed":
        raise ConfigError(
            f"'{word}': the best of several seeds is chance", "to average over seeds: seqlab compare MODEL --seeds 5"
        )
    if (
        axis.key in ("runs_dir", "tuned", "task", "task.corpus", "device.processes")
        or axis.key.partition(".")[0] == "hydra"
    ):
        rule = "all trials must be judged on the same data" if axis.key.startswith("task") else "it is no choice"
        raise ConfigError(f"'{word}' cannot be swept: {rule}", f"keep one: {axis.key}=VALUE")
    if axis.is_group and axis.is_interval:
        raise ConfigError(f"'{word}': {axis.key} has names, not numbers", "see: seqlab list")


def _typed(axes: dict[str, Axis], fixed: list[str], config_dir: Path | None) -> dict[str, Axis]:
    """The axes, of which intervals of whole-numbered settings are in whole numbers. Raises ConfigError for a setting
    that some of the models lack, and for a group whose option does not exist."""
    base = [word for word in fixed if key_of(word) in GROUPS]
    groups = [axis for axis in axes.values() if axis.is_group]
    chosen = [*product(*([f"{axis.key}={value}" for value in axis.values] for axis in groups))]
    there: dict[tuple[str, ...], dict[str, Any]] = {choice: settings([*base, *choice], config_dir) for choice in chosen}
    found: dict[str, Axis] = {}
    for word, axis in axes.items():
        lacking = [choice for choice, known in there.items() if not axis.is_group and axis.key not in known]
        if lacking and len(lacking) < len(there):
            having = next(choice for choice in there if choice not in lacking)
            raise ConfigError(
                f"{axis.key} is no setting of {' '.join(lacking[0])}, which this sweep tries as well",
                f"sweep them apart: one sweep with {' '.join(having)} and {word}, one with {' '.join(lacking[0])}",
            )
        counts = axis.is_interval and all(type(known.get(axis.key)) is int for known in there.values())
        found[word] = in_whole_numbers(axis) if axis.whole or counts else axis
    return found


def _models(axes: dict[str, Axis], fixed: list[str]) -> Request:
    """Each choice of groups with everything else in the middle, as a comparison of them."""
    groups = [axis for axis in axes.values() if axis.is_group]
    middle = tuple(f"{axis.key}={axis.middle}" for axis in axes.values() if not axis.is_group)
    given = next((word.partition("=")[2] for word in fixed if key_of(word) == "model"), default_option("model"))
    specs: list[ModelSpec] = []
    for choice in product(*(axis.values for axis in groups)):
        options = dict(zip((axis.key for axis in groups), choice, strict=True))
        others = [f"{group}={option}" for group, option in options.items() if group != "model"]
        model = options.get("model", given)
        specs.append(ModelSpec(" ".join(choice) or model, model, (*others, *middle)))
    shared = tuple(word for word in fixed if key_of(word) != "model")
    return Request(tuple(specs), (), shared, seeds=1)
