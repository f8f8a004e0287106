"""What the three recurrent families share: their settings, and a stack of torch's fused kernels.

B batch, T time, D width, H hidden size (here always D).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.interfaces import Count, ModelConfig, SequenceModel, State
from seqlab.layers.dropout import LockedDropout


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


class RecurrentStack(SequenceModel):
    """Single-layer fused kernels (oneDNN, cuDNN) with dropout and, if asked for, normalisation between.

    The state is one tuple a layer: (h_BH,), or (h_BH, c_BH) where the kernel has a memory cell.
    """

    def __init__(
        self,
        kernel_class: Callable[..., nn.RNNBase],
        config: RecurrentConfig,
        initialise: Callable[[nn.RNNBase], None],
    ) -> None:
        super().__init__()
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

    def initial_state(self, batch_size: int, *, capacity: int = 0) -> State:
        """Zeros. Recurrence needs no cache: `capacity` changes nothing."""
        zeros_BH = next(self.parameters()).new_zeros(batch_size, self.width)
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
