"""What a notebook shows of a run: its figures, its validation curve, and what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqlab.drawing.numbers import clock, compact, figure, number, sparkline
from seqlab.drawing.page import render
from seqlab.runs.result import Result

if TYPE_CHECKING:
    from seqlab.runs.run import Run

_BARS = 40


def card(run: Run) -> str:
    """HTML in which all that comes from data or from a user is escaped. Reads no weights and no corpus."""
    names, result = run.config.names, run.result if run.finished else None
    return render(
        "run.html.j2",
        title=f"{names['model']} on {names['task']}, seed {run.config.seed}",
        folder=str(run.folder),
        rows=[] if result is None else _rows(result),
        about=_about(run) if result is None else _training(result),
        curve=_curve(run, result),
        warnings=() if result is None else result.warnings,
        sample="" if result is None else result.sample,
    )


def _rows(result: Result) -> list[dict[str, str]]:
    """The primary metric first."""
    names = sorted(result.metrics, key=lambda name: name != result.primary)
    low, high = result.test_interval
    return [
        {
            "name": name.replace("_", " "),
            "validation": number(result.validation[name]) if name in result.validation else "",
            "test": figure(result.metrics[name]),
            "interval": f"{number(low)} to {number(high)}" if name == result.primary and low == low else "",
        }
        for name in names
    ]


def _training(result: Result) -> str:
    return (
        f"{compact(result.parameters)} parameters; {result.steps:,} steps in {clock(result.seconds)}, best at step "
        f"{result.best_step:,}; {compact(result.tokens_per_second)} tokens/s on {result.device} in {result.precision}"
    )


def _about(run: Run) -> str:
    steps = run.metrics.get("step", [])
    return f"no result yet; the last step that was logged is {steps[-1]:,.0f}" if steps else "no result yet"


def _curve(run: Run, result: Result | None) -> dict[str, Any] | None:
    """The primary metric on validation, or its loss while there is no result."""
    name = "val/loss" if result is None else f"val/{result.primary}"
    if name not in run.metrics:
        return None
    values = run.curve(name)[1][-_BARS:]
    if not values:
        return None
    return {
        "name": name, "bars": sparkline(values, _BARS), "first": number(values[0]), "last": number(values[-1]),
    }  # fmt: skip
