"""One layer of a recurrent family, computed by torch's fused kernel (oneDNN, cuDNN).

B batch, T time, D width, H hidden size (here always D), G all gates of a layer, concatenated.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, SequenceModel, Step
from seqlab.core.state import State


class Kernel(SequenceModel):
    """Base of a family's layer, beside torch's own: `class LSTM(Kernel, nn.LSTM)`.

    The state is (h_BH,), or (h_BH, c_BH) where there is a memory cell. `equation` is what the kernel computes, as the
    family's file states it; a test checks that the two are equal.
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
        # torch wants (1, B, H): one layer, one direction
        before = tuple(part_BH[None] for part_BH in cast(tuple[Tensor, ...], state))
        y_BTH, after = self.fused(x_BTD, before if len(before) > 1 else before[0])
        return y_BTH, tuple(part[0] for part in (after if isinstance(after, tuple) else (after,)))

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """By the equation: for a single position, a fused kernel's overhead exceeds its computation."""
        (b_xG, W_xDG), (b_hG, W_hHG) = self._affine("ih"), self._affine("hh")
        table_VG = None if inputs_VD is None else torch.addmm(b_xG, inputs_VD, W_xDG)

        def step(x_B: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            before = cast(tuple[Tensor, ...], state)
            from_x_BG = torch.addmm(b_xG, x_B, W_xDG) if table_VG is None else table_VG.index_select(0, x_B)
            after = self.equation(from_x_BG, torch.addmm(b_hG, before[0], W_hHG), before)
            return after[0], after

        return step

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The hidden state and each gate."""
        hidden_BTH, _ = self(x_BTD, state)
        before_BTH = torch.cat((cast(tuple[Tensor, ...], state)[0][:, None], hidden_BTH[:, :-1]), 1)
        (b_xG, W_xDG), (b_hG, W_hHG) = self._affine("ih"), self._affine("hh")
        return {"hidden": hidden_BTH, **self.gates(x_BTD @ W_xDG + b_xG, before_BTH @ W_hHG + b_hG)}

    def _affine(self, part: str) -> tuple[Tensor, Tensor]:
        """(b_G, W_DG): the weight as a contiguous transposed copy, which multiplies a single row faster."""
        return self.get_parameter(f"bias_{part}_l0"), self.get_parameter(f"weight_{part}_l0").T.contiguous()

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


def kernels(layer: Callable[..., Kernel], layers: int, width: int) -> list[Kernel]:
    """Layers of one family. All are made before the first is initialised, as when the first runs were stored, so that a
    seed still gives the same weights."""
    made = [layer(width, width, batch_first=True) for _ in range(layers)]
    for kernel in made:
        kernel.initialise()
    return made
