"""Causality: no output depends on a later input, the first contract of any model that predicts the next token.

Two tests, each in training and in evaluation mode. (1) The gradient of the outputs up to a position, with random
weights so that nothing cancels, must be exactly 0 at every later input. (2) Changing the inputs after a position must
not change the outputs up to it; this also finds leaks through operations without a gradient (rounding, argmax, detach).
Each row of the batch is cut at a position of its own, and judged by its own numbers. The outputs of the last row are
not used: if it influences another row, the model mixes rows.

Shape letters: R rows, T time, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from seqlab.contracts.built import Built, read, shaken
from seqlab.contracts.locating import Leak, locate
from seqlab.core.model import Memory, Role
from seqlab.errors import ConfigError
from seqlab.training.seeds import seed_global_generators

_LEAST, _FEW = 5, 8  # rows of the quick check: its cuts, and one row more that no other may depend on
_POSITIONS, _NUMBERS = 8192, 2**21  # of the inputs of a larger batch, at most: it fits where a training fits
_SCALES = (0.1, 0.01, 0.0)  # of the noise on weights; smaller if the model is not finite with it
_SIZES = 3  # of the inputs, each a tenth of the one before, for rows that are not finite
_ROUNDING = 1e-5  # of the largest value of a row: in an FFT convolution, the future changes how the past is rounded


class _Rows(NamedTuple):
    """The inputs, others for later positions, and cut_R: for each row, the last position whose output is checked; -1
    for the last row."""

    x_RTD: Tensor
    other_RTD: Tensor
    memory: Memory | None
    cut_R: Tensor

    def later_inputs(self) -> Tensor:
        """after_RT."""
        return torch.arange(self.x_RTD.shape[1]) > self.cut_R[:, None]

    def smaller(self, chosen_R: Tensor) -> _Rows:
        """With smaller inputs in these rows."""
        factor_R11 = torch.where(chosen_R, 0.1, 1.0)[:, None, None]
        return self._replace(x_RTD=self.x_RTD * factor_R11, other_RTD=self.other_RTD * factor_R11)

    def few(self, evidence_R: Tensor) -> _Rows:
        """The rows with the most evidence of a leak, and the last one."""
        most_R = evidence_R[:-1].topk(_FEW - 1).indices.sort().values
        row_R = torch.cat((most_R, torch.tensor([len(evidence_R) - 1])))
        memory = None if self.memory is None else Memory(*(part[row_R] for part in self.memory))
        return _Rows(self.x_RTD[row_R], self.other_RTD[row_R], memory, self.cut_R[row_R])


def check_causality(built: Built, *, every_position: bool = False) -> None:
    """Raise ConfigError, with the positions, if an output depends on a later input or on another row.

    The quick check cuts at a few positions, which finds a leak from any number of positions ahead, a normalisation over
    time, a backward direction, and blocks with attention to all of their positions. `every_position` then cuts at each,
    because an output that depends on the very next input shows at a single cut: test (1) in both modes with both signs
    of the noise, test (2) with one sign in training and the other one in evaluation. What could escape passes no
    gradient, is at one position only, in one mode only and behind a gate that opens in one direction only. As many cuts
    as memory allows are rows of one batch: a model that loops over time in Python goes through its loop a few times for
    all.
    """
    if built.role is Role.ENCODER or built.steps < 2:
        return
    training = built.model.training
    quick_R, *others = _cuts(built)
    try:
        for sign, train in ((1, True), (-1, True), (1, False), (-1, False)):
            built.model.train(train)
            cuts = [quick_R, *others] if every_position else [quick_R]
            for scale in _SCALES:
                with shaken(built.model, scale, sign):
                    if _check(built, cuts, sign, scale):
                        break
    finally:
        built.model.train(training)


def _cuts(built: Built) -> Iterator[Tensor]:
    """cut_R of each batch, the first of which is that of the quick check."""
    steps, generator = built.steps, torch.Generator().manual_seed(0)
    # position 0 finds blocks of two or more positions; the others are drawn
    chosen = list(dict.fromkeys([0, steps - 2, *torch.randperm(steps - 1, generator=generator).tolist()]))
    few = max(_LEAST, min(_FEW, 256 // steps)) - 1
    many = max(_LEAST, min(_POSITIONS, _NUMBERS // built.width) // steps) - 1
    yield torch.tensor([*chosen[:few], -1])
    for start in range(few, len(chosen), many):
        yield torch.tensor([*chosen[start : start + many], -1])


def _check(built: Built, cuts: list[Tensor], sign: int, scale: float) -> bool:
    """Raise ConfigError if a cut shows a leak. Returns False if numbers are not finite with noise of this scale, so
    that gradients of zero would prove nothing."""
    train = built.model.training
    for batch, cut_R in enumerate(cuts):
        seed_global_generators(0, "contracts, inputs")
        x_RTD, other_RTD = (built.inputs(len(cut_R), built.steps) for _ in range(2))
        rows = _Rows(x_RTD, other_RTD, built.memory(len(cut_R)), cut_R)
        for _ in range(_SIZES):
            unknown_R = _check_gradient(built, rows)
            if not bool(unknown_R.any()):
                break
            rows = rows.smaller(unknown_R)
        else:
            if scale > 0:
                return False
        if train == (sign > 0) or (batch == 0 and not train):
            _check_values(built, rows, again=batch == 0)
    return True


def _check_gradient(built: Built, rows: _Rows) -> Tensor:
    """Raise ConfigError if a gradient reaches a later input. Returns unknown_R: the rows whose numbers are not
    finite."""
    after_RT = rows.later_inputs()
    size_RT = _gradient(built, rows, ~after_RT)
    unknown_R = ~size_RT.isfinite().all(1)
    size_RT = size_RT.masked_fill(unknown_R[:, None], 0.0)
    leaked_R = size_RT.masked_fill(~after_RT, 0.0).amax(1)
    largest = float(leaked_R.max())
    if largest == 0 or (bool((leaked_R <= _ROUNDING * size_RT.amax(1)).all()) and _rounds(built, rows, leaked_R)):
        return unknown_R
    if len(leaked_R) > _FEW:  # many calls locate the leak: with few rows, quick ones
        _check_gradient(built, rows.few(leaked_R))

    def depends(outputs_RT: Tensor, inputs_RT: Tensor) -> bool:
        return bool(_gradient(built, rows, outputs_RT)[inputs_RT].max() > 1e-3 * largest)

    raise _refusal(built, locate(depends, rows.cut_R, built.steps))


def _gradient(built: Built, rows: _Rows, outputs_RT: Tensor) -> Tensor:
    """size_RT: the largest absolute gradient at each input of the randomly weighted outputs at these positions; NaN in
    rows with an output that is not finite."""
    x_RTD = rows.x_RTD.detach().requires_grad_()
    y_RTD, _ = read(built, x_RTD, memory=rows.memory)
    size_RT = torch.zeros(outputs_RT.shape, dtype=x_RTD.dtype)
    if y_RTD.requires_grad:
        # drawn in double precision, so that the weights are the same in both
        weight_RTD = torch.randn(y_RTD.shape, dtype=torch.float64).to(y_RTD).masked_fill(~outputs_RT[..., None], 0.0)
        (gradient_RTD,) = torch.autograd.grad((y_RTD * weight_RTD).sum(), x_RTD, allow_unused=True)
        size_RT = size_RT if gradient_RTD is None else gradient_RTD.abs().amax(-1)
    return size_RT.masked_fill(~y_RTD.isfinite().all(2).all(1)[:, None], torch.nan)


def _rounds(built: Built, rows: _Rows, leaked_R: Tensor) -> bool:
    """Whether the dependence is only a rounding error: in double precision it nearly vanishes, in each row."""
    memory, after_RT = rows.memory, rows.later_inputs()
    wide = None if memory is None else Memory(memory[0].double(), memory[1], memory[2].double())
    try:
        built.model.double()
        size_RT = _gradient(built, rows._replace(x_RTD=rows.x_RTD.double(), memory=wide), ~after_RT)
    except RuntimeError:  # written for fp32
        return True
    finally:
        built.model.float()
    left_R = size_RT.masked_fill(~after_RT, 0.0).amax(1)
    return not bool((left_R > 1e-3 * leaked_R)[leaked_R > 0].any())


@torch.no_grad()
def _check_values(built: Built, rows: _Rows, *, again: bool) -> None:
    """Raise ConfigError if changed later inputs, or a changed last row, change earlier outputs, or (`again`) if a call
    changes the outputs of the next one."""
    buffers = [buffer.clone() for buffer in built.model.buffers()]

    def outputs(inputs_RT: Tensor) -> Tensor:
        """y_RTD with changed inputs at these positions."""
        x_RTD = torch.where(inputs_RT[..., None], rows.other_RTD, rows.x_RTD)
        y_RTD, _ = read(built, x_RTD, memory=rows.memory)
        for buffer, value in zip(built.model.buffers(), buffers, strict=True):
            if built.model.training:  # running means are for evaluation
                buffer.copy_(value)
        return y_RTD

    after_RT = rows.later_inputs()
    y_RTD, changed_RTD = outputs(after_RT & False), outputs(after_RT)
    least_R11 = _ROUNDING * y_RTD.nan_to_num(0.0, 0.0, 0.0).abs().amax((1, 2), keepdim=True)

    def depends(outputs_RT: Tensor, inputs_RT: Tensor) -> bool:
        return bool(_differ(y_RTD, outputs(inputs_RT), least_R11)[outputs_RT].any())

    if again and bool(_differ(y_RTD, outputs(after_RT & False), least_R11).any()):
        raise ConfigError(
            f"{built.about()} has memory outside its state: the same inputs, read again after others, give other "
            f"outputs{_mode(built)}",
            "put everything that is carried from call to call into the State that forward returns",
        )
    leaked_RT = _differ(y_RTD, changed_RTD, least_R11) & ~after_RT
    if bool(leaked_RT.any()):
        if len(leaked_RT) > _FEW:  # as above
            _check_values(built, rows.few(leaked_RT.sum(1)), again=False)
        raise _refusal(built, locate(depends, rows.cut_R, built.steps))


def _differ(a_RTD: Tensor, b_RTD: Tensor, least_R11: Tensor) -> Tensor:
    """found_RT: where two outputs differ by more than `least_R11`, or one of them alone is not finite."""
    same_RTD = torch.isclose(a_RTD, b_RTD, rtol=0.0, atol=0.0, equal_nan=True)
    return ~(((a_RTD - b_RTD).abs() <= least_R11) | same_RTD).all(-1)


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
