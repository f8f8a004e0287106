"""The interface of attention modules, through which their weights are drawn."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Attention(nn.Module):
    """Base of attention modules whose weights can be computed.

    across: whether it attends to another sequence. causal: whether position t attends to positions up to t only.
    """

    across: bool = False
    causal: bool = False
    weights: Callable[..., Tensor]
    """weight_BNTS: how much position t attends to position s in each of N heads. Takes the arguments of a `forward`
    that reads the whole sequence at once."""
