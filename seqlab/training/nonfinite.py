"""What becomes of a step whose loss or gradient is not finite: counted, told of, and in the end no more of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from seqlab.errors import NumericError
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")
_SMALLEST_SCALE = 1.0  # below it gradients overflow fp16 by themselves


@dataclass(frozen=True)
class Outcome:
    """What a step came to, not yet read from the device: summed nats and the gradient's norm before clipping, which
    is not finite where the loss is not. epoch, windows: where in the data it was."""

    step: int
    epoch: int
    windows: int
    targets: int
    tokens: int
    seconds: float
    nats: Tensor
    norm: Tensor


def read(outcomes: list[Outcome]) -> list[tuple[float, float]]:
    """(nats, norm) of each, in one look at the device, which waits until it has made them."""
    if len(outcomes) == 1:
        return [(float(outcomes[0].nats), float(outcomes[0].norm))]
    pairs: list[list[float]] = torch.stack([torch.stack((o.nats, o.norm)) for o in outcomes]).tolist()
    return [(nats, norm) for nats, norm in pairs]


def count_nonfinite(
    progress: Progress,
    outcome: Outcome,
    *,
    policy: Literal["skip", "stop"],
    limit: int,
    scale: float | None,
    remedy: str,
) -> NumericError | None:
    """Count a step that moved no weight. Returns the error that ends the run, if this step is enough; otherwise the
    first in a row is warned of. remedy: what to set then, in words. scale: of the loss in fp16, which overflows now and
    then by design; None elsewhere."""
    progress.nonfinite_steps += 1
    progress.nonfinite_in_a_row += 1
    where = f"at step {outcome.step} (epoch {outcome.epoch + 1}, batch {outcome.windows})"
    what = _enough(progress.nonfinite_in_a_row, where, policy, limit, scale)
    progress.failed = what is not None
    if what is not None:
        return NumericError(what, f"it moved no weight; try {remedy}")
    if scale is None and progress.nonfinite_in_a_row == 1:
        _log.warning("the loss or the gradient is not finite %s: that batch is skipped", where)
    return None


def remedies(learning_rate: float, *, clipped: bool, precision: str) -> str:
    """What may keep a training from diverging, of what is not so already."""
    found = [] if clipped else ["trainer.clip_norm=1 (nothing is clipped now)"]
    found.append(f"optim.learning_rate={learning_rate / 10:g}")
    found += [] if precision == "fp32" else ["device.precision=fp32"]
    return " or ".join(found)


def _enough(in_a_row: int, where: str, policy: Literal["skip", "stop"], limit: int, scale: float | None) -> str | None:
    """Why this step is one too many, or None."""
    if scale is not None and scale < _SMALLEST_SCALE:
        return f"the loss scale collapsed to {scale:g} {where}: fp16 does not hold the gradient"
    if in_a_row >= limit:
        times = "once" if limit == 1 else f"{limit} times in a row, last"
        return f"the loss or the gradient was not finite {times} {where}"
    if policy == "stop" and scale is None:
        return f"the loss or the gradient is not finite {where}"
    return None
