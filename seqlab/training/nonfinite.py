"""Handling of steps whose loss or gradient is not finite: they are skipped, counted, and end the run when too many."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from seqlab.core.network import Network
from seqlab.core.state import State, same_shapes, where
from seqlab.errors import NumericError
from seqlab.training.progress import Progress

if TYPE_CHECKING:
    from seqlab.training.outcomes import Outcome

_log = logging.getLogger("seqlab")
_SMALLEST_SCALE = 1.0  # below it, even unscaled gradients overflow fp16


class Guard:
    """Keeps non-finite values out of weights and state.

    deferred: a GPU runs asynchronously, and asking whether a norm is finite would make the host wait in each step. Its
    optimizer kernel skips such a step by itself instead, and the host reads the norm later (Outcomes).
    """

    def __init__(self, network: Network[Any], optimizer: torch.optim.Optimizer, *, deferred: bool) -> None:
        self.network, self.optimizer, self.deferred = network, optimizer, deferred

    def judge(self, norm: Tensor, state: State | None, rows: int) -> tuple[float | None, State | None]:
        """(the norm on the host: nan if it has not been read, None if the step is to be skipped; the state to continue
        with). norm: (), not finite if loss or gradient is not. rows: of the last window."""
        assert state is not None
        if self.deferred:
            initial = self.network.initial_state(rows)
            self.deferred = same_shapes(state, initial)  # a state that grows cannot be selected on the device
        if self.deferred:
            finite = norm.isfinite()
            # the kernel changes nothing if this is 1
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            return math.nan, where(finite, state, initial)
        known = float(norm)
        # the state may hold non-finite values as well
        return (known, state) if math.isfinite(known) else (None, None)


def count_nonfinite(
    progress: Progress,
    outcome: Outcome,
    *,
    policy: Literal["skip", "stop"],
    limit: int,
    scale: float | None,
    remedy: str,
    last_norm: float | None,
) -> NumericError | None:
    """Count a skipped step. Returns the error that ends the run if this was one too many; otherwise logs a warning for
    the first in a row. remedy: settings to try, in words. scale: the loss scale in fp16, which overflows now and then
    by design; None in other precisions. last_norm: of the last gradient that was finite; None if it is not known."""
    progress.nonfinite_steps += 1
    progress.nonfinite_in_a_row += 1
    where = f"at step {outcome.step} (epoch {outcome.epoch + 1}, batch {outcome.windows})"
    what = _end_reason(progress.nonfinite_in_a_row, where, policy, limit, scale)
    progress.failed = what is not None
    before = "" if last_norm is None else f"; the last finite gradient norm was {last_norm:.3g}"
    if what is not None:
        return NumericError(what + before, f"this step changed no weight; try {remedy}")
    if scale is None and progress.nonfinite_in_a_row == 1:
        _log.warning("the loss or the gradient is not finite %s: that batch is skipped%s", where, before)
    return None


def remedies(learning_rate: float, *, clipped: bool, precision: str) -> str:
    """The settings that may stop training from diverging, of those that are not set so already."""
    found = [] if clipped else ["trainer.clip_norm=1 (nothing is clipped now)"]
    found.append(f"optim.learning_rate={learning_rate / 10:g}")
    found += [] if precision == "fp32" else ["device.precision=fp32"]
    return " or ".join(found)


def _end_reason(
    in_a_row: int, where: str, policy: Literal["skip", "stop"], limit: int, scale: float | None
) -> str | None:
    """Why the run ends with this step; None if it continues."""
    if scale is not None and scale < _SMALLEST_SCALE:
        return f"the loss scale collapsed to {scale:g} {where}: fp16 does not hold the gradient"
    if in_a_row >= limit:
        times = "once" if limit == 1 else f"{limit} times in a row, last"
        return f"the loss or the gradient was not finite {times} {where}"
    if policy == "stop" and scale is None:
        return f"the loss or the gradient is not finite {where}"
    return None
