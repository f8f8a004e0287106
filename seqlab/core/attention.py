"""The interface of attention modules, through which their weights are drawn and their heads measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn


class ReadHeads(NamedTuple):
    """Where the heads of an attention module are read: the module whose input holds what each has looked up, and each
    head's columns of that input."""

    by: nn.Module
    columns: Sequence[slice]


class Attention(nn.Module):
    """Base of attention modules whose weights can be computed.

    across: whether it attends to another sequence. causal: whether position t attends to positions up to t only.
    """

    across: bool = False
    causal: bool = False
    weights: Callable[..., Tensor]
    """weight_BNTS: how much position t attends to position s in each of N heads. Takes the arguments of a `forward`
    that reads the whole sequence at once."""
    scores: Callable[..., Tensor] | None = None
    """score_BNTS, whose softmax over s the weights are, from the same arguments; -inf where t must not attend. None:
    the weights have no scores."""

    def read_heads(self) -> ReadHeads | None:
        """Where its heads are read, so that one of them can be silenced; None if they cannot be told apart there."""
        return None
