"""One layer of a recurrent family, computed by torch's fused kernel (oneDNN, cuDNN).

B batch, T time, D width, H hidden size (here always D), G all gates of a layer, concatenated.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.model import Memory, SequenceModel, Step
from seqlab.core.state import State
from seqlab.layers.recurrent import RecurrentConfig


class Kernel(SequenceModel):
    """Base of a family's layer, beside torch's own: `class LSTM(Kernel, nn.LSTM)`.

    The state is (h_BH,), or (h_BH, c_BH) where there is a memory cell. `equation` is what the kernel computes, as the
    family's file states it; a test checks that the two are equal. With norms (`normalise`) a layer computes it step by
    step, since the fused kernel knows none.
    """

    fused: ClassVar[Callable[..., Any]]
    """torch's own forward."""
    blocks: ClassVar[int]
    """The number of gates concatenated in a weight."""
    remembers: ClassVar[int] = 1
    """The number of vectors in the state."""

    @staticmethod
    @abstractmethod
    def equation(from_x_BG: Tensor, from_h_BG: Tensor, before: tuple[Tensor, ...], /) -> tuple[Tensor, ...]:
        """The state after a step, given W_xh x_t + b_xh, W_hh h_{t-1} + b_hh and the state before it."""

    @staticmethod
    def gates(_from_x_BG: Tensor, _from_h_BG: Tensor, /) -> dict[str, Tensor]:
        """Each gate's activation (..., H) by name, given the same two inputs (..., G); none for a family without
        gates."""
        return {}

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        """Zeros. Recurrence needs no cache: `capacity` is ignored."""
        weight_GH = self.get_parameter("weight_hh_l0")
        return (weight_GH.new_zeros(rows, weight_GH.shape[1]),) * self.remembers

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot affect what precedes it."""
        if self.normalised:
            return self._step_by_step(x_BTD, cast(tuple[Tensor, ...], state))
        # torch wants (1, B, H): one layer, one direction
        before = tuple(part_BH[None] for part_BH in cast(tuple[Tensor, ...], state))
        y_BTH, after = self.fused(x_BTD, before if len(before) > 1 else before[0])
        return y_BTH, tuple(part[0] for part in (after if isinstance(after, tuple) else (after,)))

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """By the equation: for a single position, a fused kernel's overhead exceeds its computation."""
        from_x, from_h = self._projection("ih"), self._projection("hh")
        table_VG = None if inputs_VD is None else from_x(inputs_VD)

        def step(x_B: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            before = cast(tuple[Tensor, ...], state)
            from_x_BG = from_x(x_B) if table_VG is None else table_VG.index_select(0, x_B)
            after = self.equation(from_x_BG, from_h(before[0]), before)
            return after[0], after

        return step

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The hidden state and each gate."""
        hidden_BTH, _ = self(x_BTD, state)
        before_BTH = torch.cat((cast(tuple[Tensor, ...], state)[0][:, None], hidden_BTH[:, :-1]), 1)
        from_x, from_h = self._projection("ih"), self._projection("hh")
        gates = self.gates(from_x(x_BTD.flatten(0, 1)), from_h(before_BTH.flatten(0, 1)))
        return {"hidden": hidden_BTH, **{name: gate.unflatten(0, x_BTD.shape[:2]) for name, gate in gates.items()}}

    @property
    def normalised(self) -> bool:
        """Whether `normalise` was called."""
        return hasattr(self, "norm_ih")

    def normalise(self) -> None:
        """From now on, W_xh x_t and W_hh h_{t-1} are each normalised before the bias is added: over all gates together,
        with a learned gain (after Ba 2016, whose LSTM also normalises the cell, and whose GRU normalises gates and
        candidate apart)."""
        gates = self.get_parameter("weight_hh_l0").shape[0]
        self.norm_ih, self.norm_hh = nn.LayerNorm(gates, bias=False), nn.LayerNorm(gates, bias=False)

    def _step_by_step(self, x_BTD: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        from_x, from_h = self._projection("ih"), self._projection("hh")
        outputs: list[Tensor] = []
        for from_x_BG in from_x(x_BTD.flatten(0, 1)).unflatten(0, x_BTD.shape[:2]).unbind(1):
            before = self.equation(from_x_BG, from_h(before[0]), before)
            outputs.append(before[0])
        return torch.stack(outputs, 1), before

    def _projection(self, part: str) -> Callable[[Tensor], Tensor]:
        """given_BD -> b_G + W_GD given_BD, normalised or not. The weight is a contiguous transposed copy, which
        multiplies a single row faster."""
        b_G, W_DG = self.get_parameter(f"bias_{part}_l0"), self.get_parameter(f"weight_{part}_l0").T.contiguous()
        if not self.normalised:
            return lambda given_BD: torch.addmm(b_G, given_BD, W_DG)
        norm = self.get_submodule(f"norm_{part}")
        return lambda given_BD: b_G + cast(Tensor, norm(given_BD @ W_DG))

    @torch.no_grad()
    def initialise(self) -> None:
        """Orthogonal recurrent weights (Saxe 2014: at first they preserve the norm of the state through time),
        Xavier-uniform input weights (Glorot 2010), zero biases; each gate's block by itself."""
        for name, parameter in self.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                continue
            for block in parameter.chunk(self.blocks):
                (nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_)(block)


@config_dataclass(frozen=True, kw_only=True)
class KernelConfig(RecurrentConfig):
    """Settings of a recurrent family whose layers are kernels.

    cell_norm: normalise inside the recurrence, at every step (Ba 2016; see Kernel.normalise). It is then computed step
        by step, several times as slowly as by the fused kernel.
    """

    cell_norm: bool

    def made(self, layer: Callable[..., Kernel]) -> list[Kernel]:
        """The layers of a stack."""
        layers = kernels(layer, self.layers, self.width)
        if self.cell_norm:
            for kernel in layers:
                kernel.normalise()
        return layers


def kernels(layer: Callable[..., Kernel], layers: int, width: int) -> list[Kernel]:
    """Layers of one family. All are made before the first is initialised, as when the first runs were stored, so that a
    seed still gives the same weights."""
    made = [layer(width, width, batch_first=True) for _ in range(layers)]
    for kernel in made:
        kernel.initialise()
    return made
