"""No output depends on a later input: the first promise of whatever predicts what comes next.

Two tests, in training and in evaluation. Where gradients flow: that of the outputs up to a position, weighted at
random so that nothing cancels, is exactly 0 at every input after it. Where they do not (rounding, argmax, detach):
other inputs after a position leave the outputs up to it as they were. Each row of one batch is cut at a position of
its own, and the last row is no part of what is looked at: what reaches it has passed from row to row.

Shape letters: R rows, T time, D width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from seqlab.contracts.built import Built, read, shaken
from seqlab.contracts.locating import Leak, locate
from seqlab.core.model import Memory, Role
from seqlab.errors import ConfigError
from seqlab.training.seeds import seed_global_generators

_POSITIONS = 256  # of a batch in the quick round, where that is enough for five rows: some milliseconds of work
_SCALES = (0.1, 0.01, 0.0)  # of the noise on weights; less where a model is no longer finite with it
_ROUNDING = 1e-5  # of the largest: a convolution by FFT rounds the past otherwise when the future changes


def check_causality(built: Built, *, every_position: bool = False) -> None:
    """Raise ConfigError, with the positions, if an output depends on a later input or on another row.

    In the quick round some positions are cut at, which finds a leak by any number of positions, a norm over time, a
    second direction, and blocks that see themselves whole; `every_position` cuts at each.
    """
    if built.role is Role.ENCODER or built.steps < 2:
        return
    training = built.model.training
    try:
        for sign, train in ((1, True), (-1, True), (1, False), (-1, False)):
            built.model.train(train)
            for cut_R in _cuts(built.steps, every_position=every_position):
                _check(built, cut_R, sign)
    finally:
        built.model.train(training)


def _cuts(steps: int, *, every_position: bool) -> Iterator[Tensor]:
    """cut_R: the last position that each row is looked at; -1 for the last row."""
    rows = max(5, min(8, _POSITIONS // steps)) - 1
    # the first position alone is in no block of two or more; the rest is drawn
    drawn = torch.randperm(steps - 1, generator=torch.Generator().manual_seed(0))
    order = [0, steps - 2, *drawn.tolist()]
    chosen = list(dict.fromkeys(order))
    for start in range(0, len(chosen) if every_position else 1, rows):
        yield torch.tensor([*chosen[start : start + rows], -1])


def _check(built: Built, cut_R: Tensor, sign: int) -> None:
    seed_global_generators(0, "contracts, inputs")
    x_RTD, other_RTD = (built.inputs(len(cut_R), built.steps) for _ in range(2))
    memory = built.memory(len(cut_R))
    for scale in _SCALES:
        with shaken(built.model, scale, sign):
            if _check_gradient(built, x_RTD, memory, cut_R) or scale == 0:
                if sign > 0 or not built.model.training:
                    _check_values(built, x_RTD, other_RTD, memory, cut_R)
                return


def _check_gradient(built: Built, x_RTD: Tensor, memory: Memory | None, cut_R: Tensor) -> bool:
    """Whether all numbers were finite, so that zeros mean something."""
    after_RT = torch.arange(built.steps) > cut_R[:, None]
    size_RT = _gradient(built, x_RTD, memory, ~after_RT)
    largest = float(size_RT[after_RT].max())
    if not math.isfinite(float(size_RT.sum())):
        return False
    if largest == 0 or (largest <= _ROUNDING * float(size_RT.max()) and _rounds(built, x_RTD, memory, after_RT)):
        return True

    def depends(outputs_RT: Tensor, inputs_RT: Tensor) -> bool:
        return bool(_gradient(built, x_RTD, memory, outputs_RT)[inputs_RT].max() > 1e-3 * largest)

    raise _refusal(built, locate(depends, cut_R, built.steps))


def _gradient(built: Built, x_RTD: Tensor, memory: Memory | None, outputs_RT: Tensor) -> Tensor:
    """size_RT: how much each input matters for the outputs at these positions, weighted at random; nan where one is
    not finite."""
    x_RTD = x_RTD.detach().requires_grad_()
    y_RTD, _ = read(built, x_RTD, memory=memory)
    if not bool(y_RTD.isfinite().all()):
        return torch.full(outputs_RT.shape, torch.nan)
    nothing_RT = torch.zeros(outputs_RT.shape)
    if not y_RTD.requires_grad:
        return nothing_RT
    weight_RTD = torch.randn(y_RTD.shape, dtype=y_RTD.dtype).masked_fill(~outputs_RT[..., None], 0.0)
    (gradient_RTD,) = torch.autograd.grad((y_RTD * weight_RTD).sum(), x_RTD, allow_unused=True)
    return nothing_RT if gradient_RTD is None else gradient_RTD.abs().amax(-1)


def _rounds(built: Built, x_RTD: Tensor, memory: Memory | None, after_RT: Tensor) -> bool:
    """Whether what reaches the past is no more than an error of rounding: in double precision nothing is left of it."""
    wide = None if memory is None else Memory(memory[0].double(), memory[1], memory[2].double())
    try:
        built.model.double()
        size_RT = _gradient(built, x_RTD.double(), wide, ~after_RT)
    except RuntimeError:  # written for fp32
        return True
    finally:
        built.model.float()
    return bool(size_RT[after_RT].max() <= 1e-10 * size_RT.max())


@torch.no_grad()
def _check_values(built: Built, x_RTD: Tensor, other_RTD: Tensor, memory: Memory | None, cut_R: Tensor) -> None:
    """Other inputs later on, or in the last row, change nothing before; nor does a call change the next one."""
    buffers = [buffer.clone() for buffer in built.model.buffers()]

    def outputs(inputs_RT: Tensor) -> Tensor:
        """With other inputs at these positions."""
        y_RTD, _ = read(built, torch.where(inputs_RT[..., None], other_RTD, x_RTD), memory=memory)
        for buffer, value in zip(built.model.buffers(), buffers, strict=True):
            if built.model.training:  # running means are for evaluation
                buffer.copy_(value)
        return y_RTD

    after_RT = torch.arange(built.steps) > cut_R[:, None]
    y_RTD, changed_RTD, again_RTD = outputs(after_RT & False), outputs(after_RT), outputs(after_RT & False)
    least = _ROUNDING * float(y_RTD.abs().max())

    def depends(outputs_RT: Tensor, inputs_RT: Tensor) -> bool:
        return bool(_differ(y_RTD, outputs(inputs_RT), least)[outputs_RT].any())

    if bool(_differ(y_RTD, again_RTD, least).any()):
        raise ConfigError(
            f"{built.about()} remembers outside its state: the same inputs, read again after others, give other outputs"
            f"{_mode(built)}",
            "what is carried from call to call belongs into the State that forward returns and is given back",
        )
    if bool(_differ(y_RTD, changed_RTD, least)[~after_RT].any()):
        raise _refusal(built, locate(depends, cut_R, built.steps))


def _differ(a_RTD: Tensor, b_RTD: Tensor, least: float) -> Tensor:
    """found_RT: where two outputs are not the same."""
    return ((a_RTD - b_RTD).abs() > least).any(-1)


def _mode(built: Built) -> str:
    return " (in training)" if built.model.training else " (in evaluation)"


def _refusal(built: Built, leak: Leak) -> ConfigError:
    if leak.across:
        return ConfigError(
            f"{built.about()} mixes the rows of a batch: the output of one at position {leak.position} depends on the "
            f"input of another at position {leak.source}{_mode(built)}",
            "compute each row by itself: a row is another text, and no norm or mean goes over rows",
        )
    return ConfigError(
        f"{built.about()} sees the future: its output at position {leak.position} depends on the input at position "
        f"{leak.source}{_mode(built)}",
        "let position t read positions up to t only: no mean, norm, padding or direction that reaches further",
    )
