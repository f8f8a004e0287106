"""What every sequence model keeps beside causality: shapes, a state by rows, windows that add up to the whole, rows and
padding without influence.

Shape letters: R rows, T time, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.contracts.built import Built, read
from seqlab.core.model import Memory, Role
from seqlab.core.state import State, select_rows, tensors
from seqlab.errors import ConfigError
from seqlab.training.seeds import seed_global_generators

_ROWS, _STEPS, _PADDING = 3, 24, 4


@torch.no_grad()
def check_shapes(built: Built) -> None:
    """(R, T, D) in and out, finite; a state whose tensors have a row for each row, nested as the initial one."""
    x_RTD, memory = _inputs(built)
    before = built.model.initial_state(_ROWS)
    y_RTD, after = read(built, x_RTD, before, memory=memory)
    if y_RTD.shape != x_RTD.shape:
        raise ConfigError(
            f"{built.about()} makes {tuple(y_RTD.shape)} of {tuple(x_RTD.shape)}",
            "forward maps (rows, positions, width) to the same shape",
        )
    if not bool(y_RTD.isfinite().all()):
        position = int((~y_RTD.isfinite()).any(-1).any(0).nonzero()[0])
        raise ConfigError(
            f"{built.about()}: its output at position {position} is not finite before any training",
            "look at how its weights are initialised, and at what it divides by",
        )
    for state, which in ((before, "initial_state"), (after, "the state that forward returns")):
        for tensor in tensors(state):
            if tensor.dim() == 0 or len(tensor) != _ROWS:
                raise ConfigError(
                    f"{built.about()}: {which} holds a tensor of shape {tuple(tensor.shape)} for {_ROWS} rows",
                    "dimension 0 of every tensor of a State is the row",
                )
    if _nesting(before) != _nesting(after):
        raise ConfigError(
            f"{built.about()}: the state that forward returns is nested as {_nesting(after)}, initial_state as "
            f"{_nesting(before)}",
            "return a State that is nested as the one given, since it is given back",
        )


@torch.no_grad()
def check_windows(built: Built) -> None:
    """Read in pieces with the state handed on, a sequence gives what it gives when it is read whole."""
    x_RTD, memory = _inputs(built)
    steps = x_RTD.shape[1]
    state = built.model.initial_state(_ROWS, capacity=steps)
    if built.role is Role.ENCODER or state == ():
        return
    whole_RTD, _ = read(built, x_RTD, memory=memory)
    parts: list[Tensor] = []
    for piece_RTD in x_RTD.split([n for n in (1, min(5, steps - 1), max(0, steps - 6)) if n], 1):
        y_RTD, state = read(built, piece_RTD, state, memory=memory)
        parts.append(y_RTD)
    _same(
        torch.cat(parts, 1), whole_RTD, torch.ones(whole_RTD.shape[:2], dtype=torch.bool),
        f"{built.about()}: read in windows of 1, 5 and more positions it differs from the whole",
        "carry in the State all that a later position needs, and count positions from there on",
    )  # fmt: skip


@torch.no_grad()
def check_padding(built: Built) -> None:
    """What stands at padding, and how much of it, changes no output at a valid position."""
    x_RTD, memory = _inputs(built)
    steps = x_RTD.shape[1] - _PADDING
    if steps < 1:
        return
    length_R1 = torch.tensor([steps, max(1, steps // 2), 1])[:, None]
    valid_RT = torch.arange(x_RTD.shape[1]) < length_R1
    other_RTD = torch.where(valid_RT[..., None], x_RTD, 10 * torch.randn_like(x_RTD))
    if memory is not None:  # and the same of a source
        shown_RS1 = memory.valid_BS[..., None]
        noise_RSD = torch.where(shown_RS1, memory.values_BSD, 10 * torch.randn_like(memory.values_BSD))
    what = f"{built.about()}: what stands at padding changes its output"
    remedy = "use valid_BT (and memory.valid_BS): no mean, norm or attention counts padding"
    short_RT = valid_RT[:, :steps]
    y_RTD, _ = read(built, x_RTD[:, :steps], valid_RT=short_RT, memory=memory)
    padded = memory if memory is None else Memory(noise_RSD, memory.valid_BS, memory.final_BD)
    z_RTD, _ = read(built, other_RTD, valid_RT=valid_RT, memory=padded)
    _same(z_RTD[:, :steps], y_RTD, short_RT, what, remedy)
    if built.role is Role.ENCODER:
        seed_global_generators(0, "contracts, a call")
        short, long = built.model.encode(x_RTD[:, :steps], short_RT), built.model.encode(other_RTD, valid_RT)
        _same(long.values_BSD[:, :steps], short.values_BSD, short_RT, what, remedy)
        everywhere = torch.ones(_ROWS, 1, dtype=torch.bool)
        _same(long.final_BD[:, None], short.final_BD[:, None], everywhere, f"{what} (the fixed vector)", remedy)


@torch.no_grad()
def check_rows(built: Built) -> None:
    """A row by itself gives what it gives beside others; also rows of a state that were selected."""
    x_RTD, memory = _inputs(built)
    what, remedy = f"{built.about()}: a row by itself differs from the same row beside others", "compute rows apart"
    row = torch.tensor([1])
    y_RTD, _ = read(built, x_RTD, memory=memory)
    alone = None if memory is None else Memory(*(part[row] for part in memory))
    z_RTD, _ = read(built, x_RTD[row], memory=alone)
    everywhere = torch.ones(1, x_RTD.shape[1], dtype=torch.bool)
    _same(z_RTD, y_RTD[row], everywhere, what, remedy)
    steps = x_RTD.shape[1]
    state = built.model.initial_state(_ROWS, capacity=steps)
    if built.role is Role.ENCODER or state == () or steps < 2:
        return
    _, state = read(built, x_RTD[:, :-1], state, memory=memory)
    last_RTD, _ = read(built, x_RTD[row, -1:], select_rows(state, row), memory=alone)
    _same(last_RTD, y_RTD[row, -1:], everywhere[:, -1:], f"{what} (selected from a state)", remedy)


@torch.no_grad()
def check_single_steps(built: Built) -> None:
    """What is stepped through position by position is what forward computes at once."""
    x_RTD, memory = _inputs(built)
    state = built.model.initial_state(_ROWS, capacity=x_RTD.shape[1])
    if built.role is Role.ENCODER or state == ():
        return
    whole_RTD, _ = read(built, x_RTD, memory=memory)
    step, outputs = built.model.start(), []
    for x_RD in x_RTD.unbind(1):
        y_RD, state = step(x_RD, state, memory)
        outputs.append(y_RD)
    everywhere = torch.ones(whole_RTD.shape[:2], dtype=torch.bool)
    what = f"{built.about()}: single steps, as in writing, differ from the whole"
    _same(torch.stack(outputs, 1), whole_RTD, everywhere, what, "let `step` compute what `forward` computes")


def _inputs(built: Built) -> tuple[Tensor, Memory | None]:
    seed_global_generators(0, "contracts, inputs")
    return built.inputs(_ROWS, min(built.steps, _STEPS)), built.memory(_ROWS)


def _nesting(state: State) -> str:
    """How a state is nested: "(tensor, (tensor, tensor))"."""
    return "tensor" if isinstance(state, Tensor) else f"({', '.join(map(_nesting, state))})"


def _same(a_RTD: Tensor, b_RTD: Tensor, where_RT: Tensor, what: str, remedy: str) -> None:
    """Raise ConfigError, with the first position, unless the two are equal but for rounding."""
    least = 1e-3 * b_RTD.abs() + 1e-4 * b_RTD.abs().max()
    differ_RT = ~((a_RTD - b_RTD).abs() <= least).all(-1) & where_RT
    if bool(differ_RT.any()):
        position = int(differ_RT.any(0).nonzero()[0])
        raise ConfigError(f"{what} at position {position}", remedy)
