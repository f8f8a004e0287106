"""The linear recurrence h_t = a_t * h_{t-1} + b_t, elementwise: whatever knows a and b before h can be read fast.

B batch, T time, D features (one dimension or more), step t in dimension 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def scan_stepwise(a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
    """h_BTD, step by step, given the h_BD before the first: the equation that `scan` computes."""
    outputs: list[Tensor] = []
    for a_BD, b_BD in zip(a_BTD.unbind(1), b_BTD.unbind(1), strict=True):
        h_BD = a_BD * h_BD + b_BD  # h_t = a_t * h_{t-1} + b_t
        outputs.append(h_BD)
    return torch.stack(outputs, 1)


def scan(a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
    """The same h_BTD, fast, in fp32 where less is given. On a CPU one step after another, in place; elsewhere all steps
    at once, in log2(T) passes.

    Products of `a` may underflow: what they would have kept is below rounding. Nothing is divided by them and there is
    no logarithm, so that `a` may be 0 or negative.
    """
    dtype = torch.promote_types(torch.promote_types(a_BTD.dtype, b_BTD.dtype), torch.float32)
    a_BTD, b_BTD, h_BD = a_BTD.to(dtype), b_BTD.to(dtype), h_BD.to(dtype)
    return (_scan_in_place if a_BTD.device.type == "cpu" else scan_by_doubling)(a_BTD, b_BTD, h_BD)


def scan_by_doubling(a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
    """The same in log2(T) passes over all steps (Hillis & Steele 1986): two steps, a then a', are one step with
    a' * a and a' * b + b'. (torch's own associative_scan is a prototype that needs torch.compile.)"""
    b_BTD = torch.cat((torch.addcmul(b_BTD[:, :1], a_BTD[:, :1], h_BD[:, None]), b_BTD[:, 1:]), 1)
    reach = 1  # step t has taken in the steps from t - reach + 1 on
    while reach < b_BTD.shape[1]:
        b_BTD = torch.cat((b_BTD[:, :reach], torch.addcmul(b_BTD[:, reach:], a_BTD[:, reach:], b_BTD[:, :-reach])), 1)
        a_BTD = torch.cat((a_BTD[:, :reach], a_BTD[:, reach:] * a_BTD[:, :-reach]), 1)
        reach *= 2
    return b_BTD


@torch.compiler.disable  # type: ignore[untyped-decorator]  # the loop would be unrolled and compiled step by step
def _scan_in_place(a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
    h_BTD: Tensor = _InPlace.apply(a_BTD, b_BTD, h_BD)  # type: ignore[no-untyped-call]
    return h_BTD


class _InPlace(torch.autograd.Function):
    """One fused multiply-add a step. Autograd would record each, and copy."""

    @staticmethod
    def forward(ctx: Any, a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
        h_BTD = b_BTD.clone(memory_format=torch.contiguous_format)
        before_BD = h_BD
        for a_BD, after_BD in zip(a_BTD.unbind(1), h_BTD.unbind(1), strict=True):
            before_BD = after_BD.addcmul_(a_BD, before_BD)
        ctx.save_for_backward(a_BTD, h_BTD, h_BD)
        return h_BTD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dL/db_t = dL/dh_t + a_{t+1} * dL/db_{t+1}: the same recurrence from the end. dL/da_t = h_{t-1} * dL/db_t."""
        a_BTD, h_BTD, h_BD = ctx.saved_tensors
        for_b_BTD = gradient_BTD.clone(memory_format=torch.contiguous_format)
        a_TBD, for_b_TBD = a_BTD.unbind(1), for_b_BTD.unbind(1)
        for t in range(len(a_TBD) - 1, 0, -1):
            for_b_TBD[t - 1].addcmul_(a_TBD[t], for_b_TBD[t])
        for_a_BTD = torch.empty_like(for_b_BTD)
        torch.mul(for_b_BTD[:, 0], h_BD, out=for_a_BTD[:, 0])
        torch.mul(for_b_BTD[:, 1:], h_BTD[:, :-1], out=for_a_BTD[:, 1:])
        return for_a_BTD, for_b_BTD, a_TBD[0] * for_b_TBD[0]
