"""The contracts of sequence models besides causality: shapes, states, reading in windows, independence of padding and
of other rows, single steps.

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
    """Raise ConfigError unless outputs are finite with the shape of the inputs, (R, T, D), and the state has one row
    per batch row and the nesting of the initial state."""
    x_RTD, memory = _inputs(built)
    before = built.model.initial_state(_ROWS)
    y_RTD, after = read(built, x_RTD, before, memory=memory)
    if y_RTD.shape != x_RTD.shape:
        raise ConfigError(
            f"{built.about()} maps {tuple(x_RTD.shape)} to {tuple(y_RTD.shape)}",
            "forward maps (rows, positions, width) to the same shape",
        )
    if not bool(y_RTD.isfinite().all()):
        position = int((~y_RTD.isfinite()).any(-1).any(0).nonzero()[0])
        raise ConfigError(
            f"{built.about()}: its output at position {position} is not finite before any training",
            "check how its weights are initialised, and its divisions",
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
            "return a State with the nesting of the one given: it is the input of the next call",
        )


@torch.no_grad()
def check_windows(built: Built) -> None:
    """Raise ConfigError unless a sequence read in windows, with the state carried, gives the outputs of the whole."""
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
        f"{built.about()}: reading in windows of 1, 5 and more positions differs from reading the whole sequence",
        "carry in the State everything that later positions need, including their number",
    )  # fmt: skip


@torch.no_grad()
def check_padding(built: Built) -> None:
    """Raise ConfigError if the values or the amount of padding change an output at a valid position."""
    x_RTD, memory = _inputs(built)
    steps = x_RTD.shape[1] - _PADDING
    if steps < 1:
        return
    length_R1 = torch.tensor([steps, max(1, steps // 2), 1])[:, None]
    valid_RT = torch.arange(x_RTD.shape[1]) < length_R1
    other_RTD = torch.where(valid_RT[..., None], x_RTD, 10 * torch.randn_like(x_RTD))
    if memory is not None:  # also at the padding of the source
        shown_RS1 = memory.valid_BS[..., None]
        noise_RSD = torch.where(shown_RS1, memory.values_BSD, 10 * torch.randn_like(memory.values_BSD))
    what = f"{built.about()}: padding changes its output"
    remedy = "use valid_BT (and memory.valid_BS): exclude padding from means, norms and attention"
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
    """Raise ConfigError unless a row alone gives the same outputs as in a batch, also with a state selected by row."""
    x_RTD, memory = _inputs(built)
    what, remedy = f"{built.about()}: a row alone differs from the same row in a batch", "compute each row by itself"
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
    """Raise ConfigError unless stepping position by position, also with inputs from a table, gives the outputs that
    forward computes at once."""
    x_RTD, memory = _inputs(built)
    rows, steps, _ = x_RTD.shape
    if built.role is Role.ENCODER or built.model.initial_state(_ROWS, capacity=steps) == ():
        return
    whole_RTD, _ = read(built, x_RTD, memory=memory)
    everywhere = torch.ones(rows, steps, dtype=torch.bool)
    index_RT = torch.arange(rows * steps).view(rows, steps)
    for step, input_TR, where in (
        (built.model.start(), x_RTD.unbind(1), ""),
        (built.model.start(x_RTD.flatten(0, 1)), index_RT.unbind(1), ", whose inputs come from a table,"),
    ):
        state, outputs = built.model.initial_state(_ROWS, capacity=steps), list[Tensor]()
        for input_R in input_TR:
            y_RD, state = step(input_R, state, memory)
            outputs.append(y_RD)
        what = f"{built.about()}: single steps, as in generation{where} differ from the whole sequence"
        _same(torch.stack(outputs, 1), whole_RTD, everywhere, what, "let `step` compute what `forward` computes")


@torch.no_grad()
def check_signals(built: Built) -> None:
    """Raise ConfigError unless `signals` gives tensors over time, `hidden` among them."""
    x_RTD, memory = _inputs(built)
    signals = built.model.signals(x_RTD, built.model.initial_state(_ROWS), memory=memory)
    if "hidden" not in signals:
        raise ConfigError(
            f"{built.about()}: its signals are {', '.join(signals) or 'none'}, and `hidden` is not among them",
            "give the values of its hidden units that name",
        )
    for name, signal in signals.items():
        if signal.shape[:2] != x_RTD.shape[:2]:
            raise ConfigError(
                f"{built.about()}: its signal {name} has shape {tuple(signal.shape)} for {_ROWS} rows of "
                f"{x_RTD.shape[1]} positions",
                "a signal is a tensor over time: (rows, positions, ...)",
            )


def _inputs(built: Built) -> tuple[Tensor, Memory | None]:
    seed_global_generators(0, "contracts, inputs")
    return built.inputs(_ROWS, min(built.steps, _STEPS)), built.memory(_ROWS)


def _nesting(state: State) -> str:
    """The nesting of a state as text: "(tensor, (tensor, tensor))"."""
    return "tensor" if isinstance(state, Tensor) else f"({', '.join(map(_nesting, state))})"


def _same(a_RTD: Tensor, b_RTD: Tensor, where_RT: Tensor, what: str, remedy: str) -> None:
    """Raise ConfigError, with the first position, unless the two are equal up to rounding."""
    least = 1e-3 * b_RTD.abs() + 1e-4 * b_RTD.abs().max()
    differ_RT = ~((a_RTD - b_RTD).abs() <= least).all(-1) & where_RT
    if bool(differ_RT.any()):
        position = int(differ_RT.any(0).nonzero()[0])
        raise ConfigError(f"{what} at position {position}", remedy)
