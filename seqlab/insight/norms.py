"""The norm of the gradient during training, where it was clipped, and where it was no longer finite: from a run's log
and its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seqlab.checkpoints.retention import newest_whole
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.drawing.picture import COLOURS, SOFT
from seqlab.drawing.scales import log_scale
from seqlab.errors import CheckpointError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SKIPPED, _ENDED = 0.02, 0.97  # the height of marks, as a share of the axis


class NormLine(NamedTuple):
    """A log line: mean and highest norm over the steps since the last one, without those whose loss or gradient was not
    finite; nonfinite: how many such steps there have been."""

    step: int
    mean: float
    highest: float
    nonfinite: int = 0


@dataclass(frozen=True)
class NormHistory:
    """The gradient's norm in one run. clip: the norm to which gradients were clipped; None: no limit. ended: the step
    at which a loss or gradient that was not finite ended the run; None if none did. last: the highest norm after the
    last log line; None if there was no finite one."""

    lines: Sequence[NormLine]
    clip: float | None
    ended: int | None = None
    last: float | None = None

    @classmethod
    def of(cls, folder: Path, clip: float | None) -> NormHistory:
        """That of the run in a folder."""
        lines = norm_history(folder)
        try:
            found = newest_whole(folder / "checkpoints", load_checkpoint)
        except CheckpointError:  # the log is drawn without its end
            found = None
        if found is None or not found[1][1]["progress"].get("failed"):
            return cls(lines, clip)
        state = found[1][1]
        return cls(lines, clip, state["progress"]["step"], max(state["interval"]["gradient_norms"], default=None))

    @property
    def skipped(self) -> list[int]:
        """The steps of the log lines before which steps were skipped, as their loss or gradient was not finite."""
        before = [0, *(line.nonfinite for line in self.lines)]
        return [line.step for line, known in zip(self.lines, before, strict=False) if line.nonfinite > known]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        columns = {name: [getattr(line, name) for line in self.lines] for name in NormLine._fields}
        return {**columns, "clip_norm": self.clip, "ended_not_finite_at": self.ended}


def norm_history(folder: Path) -> list[NormLine]:
    """Each log line of a run."""
    found = []
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            record = json.loads(line)
            mean, highest = float(record["optim/gradient_norm"]), float(record["optim/gradient_norm_max"])
            found.append(NormLine(int(record["step"]), mean, highest, int(record.get("optim/nonfinite_steps", 0))))
        except (ValueError, TypeError, KeyError):  # a validation's line, or half a line
            continue
    return found


def draw_norms(axes: Axes, histories: Sequence[NormHistory]) -> None:
    """Each run's mean norm and, in pale, its highest; a dashed line at the norm to which it was clipped; a cross where
    it ended for want of a finite loss or gradient, and ticks at the bottom where steps were skipped for that."""
    for index, history in enumerate(histories):
        colour = COLOURS[index % len(COLOURS)]
        if history.lines:
            step, mean, highest, _ = zip(*history.lines, strict=True)
            axes.plot(step, highest, color=colour, alpha=0.3, linewidth=1)
            axes.plot(step, mean, color=colour, linewidth=1.4)
        at_bottom: Any = {"transform": axes.get_xaxis_transform(), "color": colour, "markersize": 8}
        axes.plot(history.skipped, [_SKIPPED] * len(history.skipped), "|", **at_bottom)
        _draw_end(axes, history, colour)
    _draw_clips(axes, histories)
    _draw_legend(axes, histories)
    norms = [norm for history in histories for line in history.lines for norm in (line.mean, line.highest)]
    limits = [limit for history in histories for limit in (history.clip, history.last) if limit is not None]
    log_scale(axes, (*norms, *limits))
    axes.set(xlabel="optimizer step", ylabel="gradient norm", title="gradient norm during training")


def _draw_end(axes: Axes, history: NormHistory, colour: str) -> None:
    if history.ended is None:
        return
    before = history.lines[-1] if history.lines else None
    last = history.last if history.last is not None else before.highest if before else None
    if last is None:  # not one step was finite
        axes.plot([history.ended], [_ENDED], "X", color=colour, markersize=9, transform=axes.get_xaxis_transform())
        return
    if before is not None:
        axes.plot([before.step, history.ended], [before.highest, last], ":", color=colour, linewidth=1.2)
    axes.plot([history.ended], [last], "X", color=colour, markersize=9, clip_on=False)


def _draw_clips(axes: Axes, histories: Sequence[NormHistory]) -> None:
    """One line for each norm, as far as the runs went that were clipped to it; in the colour of a run that is the only
    one."""
    limits = dict.fromkeys(history.clip for history in histories if history.clip is not None and history.lines)
    for limit in limits:
        clipped = [(index, history) for index, history in enumerate(histories) if history.clip == limit]
        colour = COLOURS[clipped[0][0] % len(COLOURS)] if len(clipped) == 1 else SOFT
        steps = [line.step for _, history in clipped for line in history.lines]
        axes.plot(
            (min(steps), max(steps)), (limit, limit), color=colour, linewidth=1.2, dashes=(4, 2),
            label=f"clipped to {limit:g}",
        )  # fmt: skip


def _draw_legend(axes: Axes, histories: Sequence[NormHistory]) -> None:
    """What stands for something, once."""
    if any(history.skipped for history in histories):
        axes.plot([], [], "|", color=SOFT, markersize=8, label="steps skipped: not finite")
    if any(history.ended is not None for history in histories):
        axes.plot([], [], "X", color=SOFT, markersize=8, label="ended: not finite")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=8)
