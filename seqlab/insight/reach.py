"""The vanishing gradient, measured: its norm by lag.

For a recurrent network the norm of dL_t / dh_{t-k}, h being all that it carries from step to step (an LSTM's h and c
together), and for one that carries nothing that of dL_t / dx_{t-k}, x being its inputs. After Pascanu 2013, section 2.
The state before a sequence begins is left out: it is a constant, and at 0 a norm stretches gradients as nowhere else.
N positions t, K lags k = 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.core.batch import Batch
from seqlab.core.network import Network, evaluating
from seqlab.core.state import select_rows, tensors
from seqlab.insight.watching import inputs_of, models_in
from seqlab.metrics import Floats

SMALL = 0.01  # of the maximum: as good as forgotten


@dataclass(frozen=True)
class Reach:
    """Norms by position and lag, masked at lags beyond the beginning of a sequence. state_NK: of the gradient with
    respect to the carried state; None if nothing is carried. input_NK: with respect to the inputs."""

    state_NK: Floats | None
    input_NK: Floats

    @property
    def norms(self) -> Floats:
        """(N, K): with respect to the state, if there is one, else to the inputs."""
        return self.input_NK if self.state_NK is None else self.state_NK


def measure(network: Network[Any], batches: Sequence[Batch], window: int) -> Reach:
    """Read each batch, whose rows have a target at their end alone, and follow the loss back `window` steps. What
    precedes these steps is read without gradients, so that the state there is a typical one."""
    states, inputs = [], []
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in wanted:  # the gradients of the weights are not needed
        parameter.requires_grad_(False)
    try:
        with evaluating(network), torch.enable_grad():
            for batch in batches:
                state_NK, input_NK = _follow(network, batch, window)
                states.append(state_NK)
                inputs.append(input_NK)
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
    return Reach(None if states[0] is None else _joined([part for part in states if part is not None]), _joined(inputs))


def _joined(parts: Sequence[Tensor]) -> Floats:
    """norm_NK of all batches; masked at lags that a row is too short for."""
    lags = max(part.shape[1] for part in parts)
    norm_NK = torch.cat([F.pad(part.double(), (0, lags - part.shape[1])) for part in parts]).numpy()
    there_N = np.concatenate([np.full(len(part), part.shape[1]) for part in parts])
    absent_NK = np.arange(lags) >= there_N[:, None]
    return np.ma.masked_array(norm_NK, absent_NK) if absent_NK.any() else norm_NK


def _follow(network: Network[Any], batch: Batch, window: int) -> tuple[Tensor | None, Tensor]:
    """(norms to the states or None, to the inputs), each (N, K) for lags 1, 2, ... The state before the last step is
    lag 1; the last input is lag 0 and dropped, since it needs no memory."""
    state = network.initial_state(batch.size)
    *before, last = batch.windows(window)
    if not any(part.is_floating_point() for part in tensors(state)):
        with inputs_of(models_in(network)[0]) as given:
            network(last, state).loss_sum.backward()
        return None, _norms(_grad(given[0]).unbind(1))[:, :-1].flip(1)
    with torch.no_grad():
        for piece in before:
            state = network(piece, state).state
    states: list[list[Tensor]] = []
    every_N = torch.arange(batch.size, device=next(tensors(state)).device)
    with inputs_of(models_in(network)[0]) as given:
        for step in last.windows(1):
            held = [part for part in tensors(state) if part.is_floating_point()]  # a counter has no gradient
            for part in held:
                if part.requires_grad:
                    part.retain_grad()
                else:
                    part.requires_grad_()
            states.append(held)
            output = network(step, state)
            state = select_rows(output.state, every_N)  # a copy: what was also read by layers above has two ways back
    output.loss_sum.backward()
    by_step = [torch.cat([_grad(part).flatten(1) for part in held], 1) for held in states]
    state_NT, input_NT = _norms(by_step), _norms([_grad(x_BTD) for x_BTD in given])
    if not before:  # the first state is the initial one
        state_NT = state_NT[:, 1:]
    return state_NT.flip(1), input_NT[:, :-1].flip(1)


def _grad(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _norms(by_step: Sequence[Tensor]) -> Tensor:
    """(N, T) norms of gradients in the order of time."""
    # in double precision: the square of a gradient of 1e-23 is 0 in fp32
    return torch.stack([gradient.flatten(1).double().norm(dim=1) for gradient in by_step], 1)


def lag_under(median_K: Floats, share: float = SMALL) -> int | None:
    """The first lag, after that of the maximum, at which the curve is under this share of it; None if it never is, or
    has no maximum."""
    finite_K = np.where(np.isfinite(median_K), median_K, 0.0)
    top = int(np.argmax(finite_K))
    under = np.flatnonzero(median_K[top:] < share * finite_K[top])
    return None if len(under) == 0 else top + int(under[0]) + 1


@dataclass(frozen=True)
class Curve:
    """Median and quartiles over positions by lag (K,), which may be zero, infinite or nan for a diverged network.

    top: the highest finite median, 0 where there is none. zero_from: the lag from which on the median is exactly 0 to
    the end; nonfinite_from: the first at which it is infinite or nan; both None where it never is."""

    low_K: Floats
    median_K: Floats
    high_K: Floats

    @classmethod
    def of(cls, norm_NK: Floats) -> Curve:
        """The curve of these norms, of which some may be masked."""
        with np.errstate(invalid="ignore"):  # infinite norms have no percentiles
            quartiles = [np.percentile(np.ma.compressed(norm_N), (25, 50, 75)) for norm_N in norm_NK.T]
        return cls(*np.array(quartiles).T)

    @property
    def top(self) -> float:
        return float(np.where(np.isfinite(self.median_K), self.median_K, 0.0).max())

    @property
    def zero_from(self) -> int | None:
        other = np.flatnonzero(self.median_K != 0)
        first = int(other[-1]) + 2 if len(other) else 1
        return first if first <= len(self.median_K) else None

    @property
    def nonfinite_from(self) -> int | None:
        there = np.flatnonzero(~np.isfinite(self.median_K))
        return int(there[0]) + 1 if len(there) else None

    def describe(self) -> str:
        """The legend of the curve."""
        if self.nonfinite_from is not None:
            return "not finite" + (f" from lag {self.nonfinite_from}" if self.nonfinite_from > 1 else "")
        if self.zero_from == 1:
            return "exactly 0 at every lag"
        first, top = float(self.median_K[0]), int(self.median_K.argmax())
        if 0 < first < SMALL * self.top:
            return f"grows {self.top / first:.2g}-fold up to lag {top + 1}"
        under = lag_under(self.median_K)
        reach = f"below 1 % from lag {under}" if under is not None else f"above 1 % up to lag {len(self.median_K)}"
        return reach + (f", exactly 0 from lag {self.zero_from}" if self.zero_from is not None else "")
