"""Causality: no output depends on a later input, the first contract of any model that predicts the next token.

Two tests, each in training and in evaluation mode. (1) The gradient of the outputs up to a position, with random
weights so that nothing cancels, must be exactly 0 at every later input. (2) Changing the inputs after a position must
not change the outputs up to it; this also finds leaks through operations without a gradient (rounding, argmax, detach).
Each row of the batch is cut at a position of its own. The outputs of the last row are not used: if it influences
another row, the model mixes rows.

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

_POSITIONS = 256  # positions per batch in the quick check, if enough for five rows: a few milliseconds of work
_SCALES = (0.1, 0.01, 0.0)  # of the noise on weights; smaller if the model is not finite with it
_ROUNDING = 1e-5  # relative to the largest value: in an FFT convolution, the future changes how the past is rounded


def check_causality(built: Built, *, every_position: bool = False) -> None:
    """Raise ConfigError, with the positions, if an output depends on a later input or on another row.

    The quick check cuts at a few positions, which finds a leak from any number of positions ahead, a normalisation over
    time, a backward direction, and blocks with attention to all of their positions. `every_position` cuts at each.
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
    """cut_R: for each row, the last position whose output is checked; -1 for the last row."""
    rows = max(5, min(8, _POSITIONS // steps)) - 1
    # position 0 finds blocks of two or more positions; the others are drawn
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
    """Raise ConfigError if a gradient reaches a later input. Returns False if numbers are not finite, so that zeros
    would prove nothing."""
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
    """size_RT: the largest absolute gradient at each input of the randomly weighted outputs at these positions; NaN if
    an output is not finite."""
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
    """Whether the dependence is only a rounding error: in double precision it vanishes."""
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
    """Raise ConfigError if changed later inputs, or a changed last row, change earlier outputs, or if a call changes
    the outputs of the next one."""
    buffers = [buffer.clone() for buffer in built.model.buffers()]

    def outputs(inputs_RT: Tensor) -> Tensor:
        """y_RTD with changed inputs at these positions."""
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
            f"{built.about()} has memory outside its state: the same inputs, read again after others, give other "
            f"outputs{_mode(built)}",
            "put everything that is carried from call to call into the State that forward returns",
        )
    if bool(_differ(y_RTD, changed_RTD, least)[~after_RT].any()):
        raise _refusal(built, locate(depends, cut_R, built.steps))


def _differ(a_RTD: Tensor, b_RTD: Tensor, least: float) -> Tensor:
    """found_RT: where two outputs differ by more than `least`."""
    return ((a_RTD - b_RTD).abs() > least).any(-1)


def _mode(built: Built) -> str:
    return " (in training)" if built.model.training else " (in evaluation)"


def _refusal(built: Built, leak: Leak) -> ConfigError:
    if leak.across:
        return ConfigError(
            f"{built.about()} mixes the rows of a batch: the output of one row at position {leak.position} depends on "
            f"the input of another row at position {leak.source}{_mode(built)}",
            "compute each row by itself, since each is another text: no norm or mean over rows",
        )
    return ConfigError(
        f"{built.about()} sees the future: its output at position {leak.position} depends on the input at position "
        f"{leak.source}{_mode(built)}",
        "position t may depend on positions up to t only: no mean, norm, padding or direction beyond it",
    )
