"""Floating-point operations of training, counted on real batches.

torch has a formula for each matrix product, by which its FlopCounterMode counts. It has none for oneDNN's fused
recurrent kernel nor for the CPU's attention; these are the missing ones. Counting is always done on
the CPU: operations are the same on every device, and other devices have other kernels without a formula. A multiply-add
is two operations; what is not a matrix product (gates, softmax, norms) is not counted, as usual.

Shape letters: B batch, T time, S source time, D inputs, H hidden size, G = H times the number of gates, N heads,
K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

from seqlab.core.batch import BatchT
from seqlab.core.network import Network

Shape = tuple[int, ...]


def recurrent_layer_flops(input_TBD: Shape, weight_GD: Shape, weight_GH: Shape) -> int:
    """Forward of one recurrent layer in one direction: each step multiplies x_BD with (D, G), h_BH with (H, G)."""
    steps, rows, _ = input_TBD
    return 2 * steps * rows * (weight_GD[0] * weight_GD[1] + weight_GH[0] * weight_GH[1])


def recurrent_layer_backward_flops(input_TBD: Shape, weight_GD: Shape, weight_GH: Shape) -> int:
    """The gradients of inputs and weights, each with as many operations as the forward pass; only the state before the
    first step, a constant, needs none."""
    rows = input_TBD[1]
    forward = recurrent_layer_flops(input_TBD, weight_GD, weight_GH)
    return 2 * forward - 2 * rows * weight_GH[0] * weight_GH[1]


def attention_flops(query_BNTK: Shape, key_BNSK: Shape, value_BNSK: Shape) -> int:
    """Q K^T and its product with V (Vaswani 2017, equation 1). A causal mask saves nothing here: the whole
    square is counted, as FlopCounterMode does for the other attention kernels."""
    rows, heads, steps, width = query_BNTK
    source = key_BNSK[2]
    return 2 * rows * heads * steps * source * (width + value_BNSK[3])


def _rnn_layer(x: Shape, w_x: Shape, w_h: Shape, *_: Any, **__: Any) -> int:
    return recurrent_layer_flops(x, w_x, w_h)


def _rnn_layer_backward(x: Shape, w_x: Shape, w_h: Shape, *_: Any, **__: Any) -> int:
    return recurrent_layer_backward_flops(x, w_x, w_h)


def _cpu_attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return attention_flops(query, key, value)


def _cpu_attention_backward(_grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    # two products for each of the forward pass; the fused kernel's recomputed scores are not counted
    return 2 * attention_flops(query, key, value)


def formulas() -> dict[Any, Callable[..., int]]:
    """The formula of each operator for which torch has none (and that is in this build of torch)."""
    named: dict[str, Callable[..., int]] = {
        "mkldnn_rnn_layer": _rnn_layer,
        "mkldnn_rnn_layer_backward": _rnn_layer_backward,
        "_scaled_dot_product_flash_attention_for_cpu": _cpu_attention,
        "_scaled_dot_product_flash_attention_for_cpu_backward": _cpu_attention_backward,
    }
    return {getattr(torch.ops.aten, name): f for name, f in named.items() if hasattr(torch.ops.aten, name)}


def training_flops(network: Network[BatchT], batches: Iterable[BatchT]) -> int:
    """Operations of a forward and a backward pass of these batches, all on the CPU, each from the initial state."""
    with _Counter() as counter:
        for batch in batches:
            network(batch, network.initial_state(batch.size)).loss_sum.backward()
    total: int = counter.total
    return total


class _Counter(TorchDispatchMode):
    """Adds up the formulas of the operators that run inside. FlopCounterMode does too, and imports torch's compiler for
    it, which takes a second."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self._formulas = {**flop_registry, **{name: shape_wrapper(formula) for name, formula in formulas().items()}}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled in here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = self._formulas.get(func._overloadpacket)
        if formula is None:
            with self:  # it may be made of operators that have one
                made_of = func.decompose(*args, **kwargs)
            if made_of is not NotImplemented:
                return made_of
        out = func(*args, **kwargs)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=out))
        return out
