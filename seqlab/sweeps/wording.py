"""A sweep in words, for terminal and page alike."""

from __future__ import annotations

from collections import Counter

from seqlab.config.overrides import key_of
from seqlab.drawing.numbers import number
from seqlab.sweeps.plan import SweepPlan
from seqlab.sweeps.request import SweepRequest
from seqlab.sweeps.summary import Summary
from seqlab.sweeps.trial import Trial


def plan_text(plan: SweepPlan, request: SweepRequest) -> str:
    """How many trials there are, and how they are chosen."""
    if request.search is None:
        return f"{request.count} trials: every combination"
    at_once = f", {plan.batch} at once" if plan.batch > 1 else ""
    pruned = ", those worse than the median pruned" if request.search.prune else ""
    return f"{request.count} trials of a search (optuna's TPE, seed {plan.seed}{at_once}{pruned})"


def outcome_text(trial: Trial) -> str:
    """What a trial came to, in a few words."""
    match trial.outcome:
        case "complete":
            return "complete" if trial.run == trial.number else f"as trial {trial.run}"
        case "impossible":
            return "impossible"
        case outcome:
            return f"{outcome} at step {trial.step}"


def settings_of(trial: Trial) -> list[str]:
    """The values of the swept settings."""
    return [word.partition("=")[2] for word in trial.overrides]


def test_text(summary: Summary) -> str:
    """The test figure of the best trial, and what it is not."""
    if summary.test is None:
        return "It has no test figure."
    unit = summary.metric.unit or summary.primary
    return (
        f"Its test figure, by which nothing was chosen: {number(summary.test)} {unit}. As the best of "
        f"{len(summary.trials)} trials, its validation flatters it: compare it over new seeds before you believe it."
    )


def counts_text(summary: Summary) -> str:
    """How many trials came to what."""
    counts = Counter(trial.outcome for trial in summary.trials)
    found = [f"{count} {outcome}" for outcome, count in counts.items()]
    if summary.failed:
        found.append(f"{len(summary.failed)} failed")
    return ", ".join(found)


def edges(summary: Summary) -> list[str]:
    """A sentence for each setting whose best value lies at an edge of what was tried, so that a better one may lie
    beyond it."""
    chosen = {key_of(word): word.partition("=")[2] for word in summary.best.overrides}
    return [
        f"{axis.key}={chosen[axis.key]} is at the edge of what was tried: a better value may lie beyond it"
        for axis in summary.request.axes.values()
        if axis.at_edge(chosen[axis.key])
    ]
