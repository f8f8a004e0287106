"""What a sweep found: the best trial by validation, the order of the others, and what mattered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, pvariance
from typing import Any

from seqlab.config.overrides import key_of
from seqlab.config.sweeps import Axis
from seqlab.core.files import finite
from seqlab.core.metric import Metric, choose
from seqlab.errors import ConfigError, NumericError
from seqlab.runs.folder import read_result
from seqlab.sweeps.plan import SweepPlan, run_folder
from seqlab.sweeps.request import SweepRequest
from seqlab.sweeps.trial import Trial

_ORDER = ("complete", "pruned", "diverged", "impossible")


@dataclass(frozen=True)
class Summary:
    """What table, page and JSON say.

    trials: the best first. failed: reasons by number. best: by validation alone. test: its figure on the test split, by
    which nothing was chosen; None if it has none. importance: the share of the variance of validations that each
    setting explains, the greatest first. command: what was typed.
    """

    request: SweepRequest
    plan: SweepPlan
    trials: tuple[Trial, ...]
    failed: Mapping[int, str]
    best: Trial
    test: float | None
    importance: Mapping[str, float]
    command: str

    @property
    def metric(self) -> Metric:
        """The metric that decides, with the best value."""
        return self.best.metrics[0]

    @property
    def primary(self) -> str:
        """Its name."""
        return self.plan.models.primary

    @property
    def best_command(self) -> str:
        """The `seqlab train` of the best trial."""
        return self.request.command(self.best.overrides)


def summarise(
    request: SweepRequest,
    plan: SweepPlan,
    trials: Sequence[Trial],
    failed: Mapping[int, str],
    importance: Mapping[str, float],
    folder: Path,
    command: str,
) -> Summary | None:
    """The summary; None if every run failed. Raises NumericError if all trials have diverged, ConfigError if no
    settings fit together."""
    best = choose((trial, trial.criterion) for trial in trials if trial.metrics)
    if best is None:
        if failed or not trials:
            return None
        impossible = next((trial for trial in trials if trial.outcome == "impossible"), None)
        if impossible is not None:
            raise ConfigError(f"no trial could be trained; {' '.join(impossible.overrides)}: {impossible.reason}")
        raise NumericError("training diverged in every trial", "try smaller learning rates")
    result = read_result(run_folder(folder, best.run)) or {}
    ranked = sorted(trials, key=_rank)
    test = result.get("test", {}).get(plan.models.primary)
    return Summary(request, plan, tuple(ranked), failed, best, test, importance, command)


def _rank(trial: Trial) -> tuple[object, ...]:
    """For sorting: the best first; of equal ones the newest, as it is chosen; of others those that came furthest."""
    after = (-trial.number,) if trial.outcome == "complete" else (-trial.step, trial.number)
    return _ORDER.index(trial.outcome), trial.criterion.rank, after


def main_effects(trials: Iterable[Trial], axes: Iterable[Axis]) -> dict[str, float]:
    """The importance of each setting in a grid: the variance of the means at its values, as a share of the whole (the
    main effects of an analysis of variance), the greatest first; empty if nothing varies."""
    values = {trial.overrides: trial.value for trial in trials if trial.value is not None}
    known = {swept: value for swept, value in values.items() if value is not None}
    whole = pvariance(known.values()) if len(known) > 1 else 0.0
    if whole == 0:
        return {}
    found: dict[str, float] = {}
    for key in (axis.key for axis in axes):
        at: dict[str, list[float]] = {}
        for swept, value in known.items():
            at.setdefault(next(word for word in swept if key_of(word) == key), []).append(value)
        means = [fmean(group) for group in at.values() for _ in group]
        found[key] = pvariance(means) / whole
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def as_json(summary: Summary) -> dict[str, Any]:
    """Plain values: the contents of summary.json and the output of --json."""
    plan, best = summary.plan, summary.best
    plain: dict[str, Any] = finite(
        {
            "task": plan.models.task,
            "command": summary.command,
            "data": {**plan.models.data, "sha256": plan.models.data_sha256},
            "seed": plan.seed,
            "metric": {
                "name": summary.primary,
                "unit": summary.metric.unit,
                "higher_is_better": summary.metric.higher_is_better,
            },
            "axes": {axis.key: list(axis.values) or str(axis) for axis in summary.request.axes.values()},
            "search": summary.request.search and asdict(summary.request.search),
            "best": {
                "trial": best.number,
                "overrides": list(best.overrides),
                "validation": best.value,
                "test": summary.test,
                "command": summary.best_command,
            },
            "trials": [
                {
                    "trial": trial.number,
                    "overrides": list(trial.overrides),
                    "outcome": trial.outcome,
                    "validation": trial.value,
                    "step": trial.step,
                    "validations": [list(point) for point in trial.validations],
                    "parameters": trial.parameters,
                    "seconds": trial.seconds,
                    "reason": trial.reason,
                    "run": run_folder(Path(), trial.run).name,
                }
                for trial in summary.trials
            ],
            "failed": {str(number): why for number, why in summary.failed.items()},
            "importance": dict(summary.importance),
            "notes": list(plan.models.notes),
        }
    )
    return plain
