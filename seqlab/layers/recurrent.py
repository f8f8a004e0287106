"""What the three recurrent families share: their settings, and a stack of torch's fused kernels.

B batch, T time, D width, H hidden size (here always D), G all gates of a layer beside each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, cast

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count
from seqlab.core.model import Memory, ModelConfig, SequenceModel, Step
from seqlab.core.state import State
from seqlab.layers.dropout import LockedDropout

Gates: TypeAlias = Callable[[Tensor, Tensor], dict[str, Tensor]]
"""A family's gates by name, (..., H) each, given W_xh x_t + b_xh and W_hh h_{t-1} + b_hh, both (..., G)."""

Equation: TypeAlias = Callable[[Tensor, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
"""A family's step: what a layer remembers after a step, given the same two and what it remembered before."""


@config_dataclass(frozen=True, kw_only=True)
class RecurrentConfig(ModelConfig):
    """Settings of a recurrent family.

    layers: how many recurrent layers stand on each other.
    layer_norm: normalise each layer's output (Ba 2016, applied between the fused kernels, not inside).
    attention: how a decoder reads the source: `none` (the fixed vector alone: Cho 2014), `additive`
        (Bahdanau 2015) or `dot` (Luong 2015, scaled). Without effect on tasks that have no source.
    """

    layers: Count
    layer_norm: bool
    attention: Literal["none", "additive", "dot"]

    def dropout_layer(self) -> nn.Module:
        """Whole features: noise that changed at each step is what a recurrent state would average away."""
        return LockedDropout(self.dropout)


class RecurrentStack(SequenceModel):
    """Single-layer fused kernels (oneDNN, cuDNN) with dropout and, if asked for, normalisation between.

    The state is one tuple a layer: (h_BH,), or (h_BH, c_BH) where the kernel has a memory cell. `equation` is what
    the kernels compute, `gates` what of it can be looked at; None for a family without gates.
    """

    def __init__(
        self,
        kernel_class: Callable[..., nn.RNNBase],
        config: RecurrentConfig,
        initialise: Callable[[nn.RNNBase], None],
        equation: Equation,
        gates: Gates | None = None,
    ) -> None:
        super().__init__()
        self.equation, self.gates = equation, gates
        self.kernels = nn.ModuleList(
            kernel_class(config.width, config.width, batch_first=True) for _ in range(config.layers)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(config.width) if config.layer_norm else nn.Identity() for _ in range(config.layers)
        )
        self.dropout = LockedDropout(config.dropout)
        self.width = config.width
        for kernel in self.kernels:
            assert isinstance(kernel, nn.RNNBase)
            initialise(kernel)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        """Zeros. Recurrence needs no cache: `capacity` changes nothing."""
        zeros_BH = next(self.parameters()).new_zeros(rows, self.width)
        has_cell = isinstance(self.kernels[0], nn.LSTM)
        return tuple((zeros_BH, zeros_BH) if has_cell else (zeros_BH,) for _ in self.kernels)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: object = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot reach what stands before it."""
        after: list[State] = []
        for layer, (kernel, norm, before) in enumerate(zip(self.kernels, self.norms, state, strict=True)):
            if layer > 0:
                x_BTD = self.dropout(x_BTD)
            # the kernels want (1, B, H): one layer, one direction
            given = tuple(part_BH[None] for part_BH in before)
            x_BTD, left = kernel(x_BTD, given if len(given) > 1 else given[0])
            after.append(tuple(part[0] for part in (left if isinstance(left, tuple) else (left,))))
            x_BTD = norm(x_BTD)
        return x_BTD, tuple(after)

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """By the family's equation: for one position, what a fused kernel prepares in each call takes longer than what
        it computes."""
        if type(self).forward is not RecurrentStack.forward:  # somebody's own, which may be another equation
            return super().start(inputs_VD)
        norms = [None if isinstance(norm, nn.Identity) else norm for norm in self.norms]
        from_x, from_h = (
            [_affine(kernel, f"weight_{part}_l0", f"bias_{part}_l0") for kernel in self.kernels]
            for part in ("ih", "hh")
        )
        b_xG, W_xDG = from_x[0]
        table_VG = None if inputs_VD is None else torch.addmm(b_xG, inputs_VD, W_xDG)

        def step(x_B: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            after: list[State] = []
            from_x_BG = torch.addmm(b_xG, x_B, W_xDG) if table_VG is None else table_VG.index_select(0, x_B)
            for layer, before in enumerate(cast(tuple[tuple[Tensor, ...], ...], state)):
                b_G, W_HG = from_h[layer]
                left = self.equation(from_x_BG, torch.addmm(b_G, before[0], W_HG), before)
                after.append(left)
                norm, y_BD = norms[layer], left[0]
                if norm is not None:
                    y_BD = norm(y_BD)
                if layer + 1 < len(state):
                    b_G, W_DG = from_x[layer + 1]
                    from_x_BG = torch.addmm(b_G, y_BD, W_DG)
            return y_BD, tuple(after)

        return step


def _affine(kernel: nn.Module, weight: str, bias: str) -> tuple[Tensor, Tensor]:
    """(b_G, W^T) for torch.addmm. A copy that lies turned in memory: a single row is multiplied faster with it."""
    return kernel.get_parameter(bias), kernel.get_parameter(weight).T.contiguous()


@torch.no_grad()
def initialise_gates(kernel: nn.RNNBase, gates: int) -> None:
    """Orthogonal recurrent weights (Saxe 2014: the norm of what travels through time is kept at first),
    Xavier-uniform input weights (Glorot 2010), zero biases; each gate's block by itself."""
    for name, parameter in kernel.named_parameters():
        if name.startswith("bias"):
            parameter.zero_()
            continue
        for block in parameter.chunk(gates):
            (nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_)(block)
