"""What every module that attends promises, so that its weights can be drawn."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Attention(nn.Module):
    """Attention of positions to positions, whose weights can be asked for.

    across: whether it attends to another sequence than its own. causal: whether position t sees positions up to t only.
    """

    across: bool = False
    causal: bool = False
    weights: Callable[..., Tensor]
    """weight_BNTS, for N heads how much position t attends to position s, given the arguments of a `forward` that read
    everything at once."""
