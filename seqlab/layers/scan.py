"""The linear recurrence h_t = a_t * h_{t-1} + b_t, elementwise: fast where a and b do not depend on h.

B batch, T time, D features (one dimension or more), step t in dimension 1.
"""

from __future__ import annotations

import math
from typing import Any, Literal

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
    """The same h_BTD, fast and in fp32 or more: on a CPU in place, in parallel chunks; elsewhere in log2(T) passes over
    all steps.

    For decays, |a| <= 1. Their products may underflow, which loses only values below rounding. Nothing is divided by
    them and there is no logarithm, so that `a` may be 0 or negative.
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
    """The loop without autograd's record of each step."""

    @staticmethod
    def forward(ctx: Any, a_BTD: Tensor, b_BTD: Tensor, h_BD: Tensor) -> Tensor:
        h_BTD = b_BTD.clone(memory_format=torch.contiguous_format)
        _recur(a_BTD, h_BTD, h_BD, 1)
        ctx.save_for_backward(a_BTD, h_BTD, h_BD)
        return h_BTD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dL/db_t = dL/dh_t + a_{t+1} * dL/db_{t+1}: the same recurrence from the end. dL/da_t = h_{t-1} * dL/db_t."""
        a_BTD, h_BTD, h_BD = ctx.saved_tensors
        for_b_BTD = gradient_BTD.clone(memory_format=torch.contiguous_format)
        _recur(a_BTD.roll(-1, 1), for_b_BTD, torch.zeros_like(h_BD), -1)
        before_BTD = torch.cat((h_BD[:, None], h_BTD[:, :-1]), 1)
        return before_BTD.mul_(for_b_BTD), for_b_BTD, a_BTD[:, 0] * for_b_BTD[:, 0]


def _recur(a_BTD: Tensor, h_BTD: Tensor, h_BD: Tensor, direction: Literal[1, -1]) -> None:
    """h_BTD, which holds b, becomes h in place; from the end if direction is -1.

    About sqrt(T) chunks are read side by side, each from zero, then what enters each is added, times the product of the
    chunk's decays so far: three times the arithmetic in a sqrt(T)-th of the calls, of which a single step is too small
    a one to be worth its overhead. A rest that fills no chunk is read step by step.
    """
    steps, order = a_BTD.shape[1], slice(None, None, direction)
    length = math.isqrt(steps)
    sizes = (steps - steps % length, steps % length)[order]
    (h_BCLD, h_rest_BTD), (a_BCLD, a_rest_BTD) = (part.split(sizes, 1)[order] for part in (h_BTD, a_BTD))
    h_BCLD, a_BCLD = (part.unflatten(1, (-1, length)) for part in (h_BCLD, a_BCLD))
    product_BCLD = a_BCLD.clone(memory_format=torch.contiguous_format)
    h_LBCD, a_LBCD, product_LBCD = (part.unbind(2)[order] for part in (h_BCLD, a_BCLD, product_BCLD))
    for place in range(1, length):
        h_LBCD[place].addcmul_(a_LBCD[place], h_LBCD[place - 1])
        product_LBCD[place].mul_(product_LBCD[place - 1])
    entering_BCD = torch.empty_like(h_LBCD[-1])
    ends = (part.unbind(1)[order] for part in (entering_BCD, h_LBCD[-1], product_LBCD[-1]))
    for entering_BD, last_BD, product_BD in zip(*ends, strict=True):
        entering_BD.copy_(h_BD)
        h_BD = torch.addcmul(last_BD, product_BD, h_BD)
    h_BCLD.addcmul_(product_BCLD, entering_BCD[:, :, None])
    for a_BD, after_BD in zip(*(part.unbind(1)[order] for part in (a_rest_BTD, h_rest_BTD)), strict=True):
        h_BD = after_BD.addcmul_(a_BD, h_BD)
