"""The search: optuna's sampler and pruner, asked and told in one process, in the order of the trials.

What it chooses follows from its seed and from the trials that it was told, and nothing else: telling it the same trials
again brings it to the same state, so that a sweep needs no other store than its list of trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from seqlab.config.sweeps import Axis
from seqlab.errors import CheckpointError
from seqlab.runs.names import ELSEWHERE
from seqlab.sweeps.trial import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_LEAST = 10  # complete trials: of fewer, a forest says nothing


class Study:
    """Chooses the trials of a search. Trials are pruned by the median rule: from a third of its steps on, a trial ends
    when its best validation so far is worse than the median of what complete trials before it had at that step."""

    def __init__(self, axes: Sequence[Axis], seed: int, *, prune: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
        sampler = optuna.samplers.TPESampler(seed=seed)
        # it always minimises: which direction is better is known only when a trial is complete
        self.study = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
        self.axes, self.prune = axes, prune
        self._spaces = {axis.key: _space(axis) for axis in axes}
        self._asked: list[optuna.Trial] = []
        self._reported: list[dict[int, bool]] = []  # of each trial: whether it was to be pruned, by step
        self._sign: float | None = None
        self.told = 0

    def ask(self) -> tuple[str, ...]:
        """The swept settings of the next trial, as overrides."""
        trial = self.study.ask(self._spaces)
        self._asked.append(trial)
        self._reported.append({})
        return tuple(f"{axis.key}={_spelled(axis, trial.params[axis.key])}" for axis in self.axes)

    def pruned_at(self, number: int, validations: Iterable[tuple[int, float | None]], last: int | None) -> int | None:
        """The step at which a trial that was asked for, and not yet told, is pruned; None if it is not, so far. It
        depends on the trials told before and on the trial's own validations, not on when they are looked at. last: the
        step at which it ends anyway, if that is known."""
        if self._sign is None:  # no trial is complete
            return None
        reported = self._reported[number]
        for step, value in validations:
            if step not in reported and (last is None or step < last):
                self._report(number, step, value)
                is_early = last is not None and step < last / 3
                reported[step] = value is not None and not is_early and self._asked[number].should_prune()
            if reported.get(step):
                return step
        return None

    def tell(self, trial: Trial) -> None:
        """Tell the outcome of the next trial in order."""
        from optuna.trial import TrialState

        if trial.metrics:
            self._sign = -1.0 if trial.metrics[0].higher_is_better else 1.0
        for step, value in trial.validations:
            if self._sign is not None and step not in self._reported[trial.number]:
                self._report(trial.number, step, value)
        # pruned without a value is the worst that can be told: what has diverged is to be avoided, not ignored
        if trial.metrics:
            self.study.tell(trial.number, trial.metrics[0].rank, TrialState.COMPLETE)
        else:
            self.study.tell(trial.number, state=TrialState.PRUNED)
        self.told += 1

    def _report(self, number: int, step: int, value: float | None) -> None:
        self._reported[number][step] = False
        if value is not None:
            self._asked[number].report((self._sign or 1.0) * value, step)

    def replay(self, trials: Sequence[Trial]) -> None:
        """Bring a new study to the state after these trials. Raises CheckpointError if it would have chosen others."""
        for trial in trials:
            while self.told < trial.told:
                self.tell(trials[self.told])
            if (chosen := self.ask()) != trial.overrides:
                raise CheckpointError(
                    f"trial {trial.number} was {' '.join(trial.overrides)}, and this search chooses {' '.join(chosen)}",
                    f"was it made with another version of optuna? {ELSEWHERE}",
                )
        for trial in trials[self.told :]:
            self.tell(trial)

    def importance(self) -> dict[str, float]:
        """The share of the variance of complete trials that each setting explains, by fANOVA (Hutter et al. 2014), the
        greatest first; empty if there are too few trials."""
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        values = {trial.value for trial in self.study.trials if trial.value is not None}
        if len(values) < _LEAST:
            return {}
        found = get_param_importances(self.study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {key: float(share) for key, share in found.items()}


def _space(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.ordered:  # by place, so that each value is spelled as in a grid
        return IntDistribution(0, len(axis.values) - 1)
    if not axis.is_interval:
        return CategoricalDistribution(axis.values)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _spelled(axis: Axis, chosen: int | float | str) -> str:
    if isinstance(chosen, str):
        return chosen
    return axis.values[int(chosen)] if axis.ordered else axis.spelled(chosen)
