"""The norm of the gradient during training, and where it was clipped, from a run's log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.drawing.picture import COLOURS, legend
from seqlab.drawing.scales import log_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class NormHistory:
    """The gradient's norm in one run. lines: (step, mean norm, highest norm) of each log line; clip: the norm to which
    gradients were clipped; None: no limit."""

    label: str
    lines: Sequence[tuple[int, float, float]]
    clip: float | None


def norm_history(folder: Path) -> list[tuple[int, float, float]]:
    """(step, mean norm, highest norm) of each log line of a run."""
    found = []
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            record = json.loads(line)
            mean, highest = float(record["optim/gradient_norm"]), float(record["optim/gradient_norm_max"])
            found.append((int(record["step"]), mean, highest))
        except (ValueError, TypeError, KeyError):  # a validation's line, or half a line
            continue
    return found


def draw_norms(axes: Axes, histories: Sequence[NormHistory]) -> None:
    """Each run's mean norm and, in pale, its highest; a dashed line at the norm to which it was clipped."""
    for index, history in enumerate(histories):
        colour = COLOURS[index % len(COLOURS)]
        if history.lines:
            step, mean, highest = zip(*history.lines, strict=True)
            axes.plot(step, highest, color=colour, alpha=0.3, linewidth=1)
            axes.plot(step, mean, color=colour, linewidth=1.4)
    clipped = [
        (index, history) for index, history in enumerate(histories) if history.clip is not None and history.lines
    ]
    for index, history in clipped:
        assert history.clip is not None
        colour, steps = COLOURS[index % len(COLOURS)], [line[0] for line in history.lines]
        whose = "" if len(histories) == 1 else f"{legend(history.label)}: "
        axes.plot(
            (steps[0], steps[-1]), (history.clip, history.clip), color=colour, linewidth=1.2, dashes=(4, 2),
            label=f"{whose}clipped to {history.clip:g}",
        )  # fmt: skip
    if clipped:
        axes.legend(loc="best", fontsize=8)
    norms = [norm for history in histories for _, *both in history.lines for norm in both]
    log_scale(axes, (*norms, *(history.clip for _, history in clipped if history.clip is not None)))
    axes.set(xlabel="optimizer step", ylabel="gradient norm", title="gradient norm during training")
