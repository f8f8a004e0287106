"""Both fast forms of the linear recurrence against its equation, written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqlab.layers.scan import scan, scan_by_doubling, scan_stepwise

Scan: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
FORMS = pytest.mark.parametrize("fast", [scan, scan_by_doubling])


def _given(
    rows: int, steps: int, *features: int, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """(a, b, h): decays from 0 to 1, both included, anything added, and a state that something was read into."""
    torch.manual_seed(seed)
    a = (1.5 * torch.rand(rows, steps, *features, dtype=dtype) - 0.25).clamp(0, 1)
    b, h = torch.randn(rows, steps, *features, dtype=dtype), torch.randn(rows, *features, dtype=dtype)
    return a.requires_grad_(), b.requires_grad_(), h.requires_grad_()


def _gradients(form: Scan, inputs: tuple[Tensor, Tensor, Tensor], probe: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad((form(*inputs) * probe).sum(), inputs)


@FORMS
@given(rows=st.integers(1, 4), steps=st.integers(1, 70), width=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_fast_forms_are_the_equation(fast: Scan, rows: int, steps: int, width: int, seed: int) -> None:
    inputs = _given(rows, steps, width, seed=seed)
    expected = scan_stepwise(*inputs)
    torch.testing.assert_close(fast(*inputs), expected, rtol=1e-5, atol=1e-5)
    probe = torch.randn_like(expected)
    for mine, theirs in zip(_gradients(fast, inputs, probe), _gradients(scan_stepwise, inputs, probe), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@FORMS
@pytest.mark.parametrize("features", [(3,), (2, 2)])
def test_gradients_equal_finite_differences(fast: Scan, features: tuple[int, ...]) -> None:
    assert torch.autograd.gradcheck(fast, _given(2, 6, *features, dtype=torch.float64))


@FORMS
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 5], [2, 1, 6]])
def test_pieces_with_a_carried_state_equal_the_whole_sequence(fast: Scan, pieces: list[int]) -> None:
    a, b, h = _given(3, 9, 4)
    whole, parts = scan_stepwise(a, b, h), []
    for a_piece, b_piece in zip(a.split(pieces, 1), b.split(pieces, 1), strict=True):
        parts.append(fast(a_piece, b_piece, h))
        h = parts[-1][:, -1]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-5, atol=1e-5)


@FORMS
@pytest.mark.parametrize("decay", [0.0, 1e-30, 1e-45, 1.0])
def test_products_of_decays_that_underflow_spoil_nothing(fast: Scan, decay: float) -> None:
    """Far beyond the range of logarithms or quotients of such products in fp32; compared with sums in fp64."""
    a, b, h = _given(2, 4096, 3)
    a = torch.full_like(a, decay).requires_grad_()
    expected = scan_stepwise(a.double(), b.double(), h.double()).float()
    torch.testing.assert_close(fast(a, b, h), expected, rtol=1e-5, atol=1e-3 if decay == 1 else 1e-5)
    for gradient in _gradients(fast, (a, b, h), torch.ones_like(b)):
        assert bool(gradient.isfinite().all())


@FORMS
def test_neither_layout_nor_broadcasting_matters(fast: Scan) -> None:
    """Time first in memory; one decay for all features of a head; a gradient that is one number, expanded."""
    a, b, h = _given(2, 7, 4, 3)
    a = a[..., :1].detach().requires_grad_()
    turned = b.transpose(0, 1).contiguous().transpose(0, 1)

    def total(form: Scan, added: Tensor) -> Tensor:
        return form(a.expand_as(b), added, h)

    torch.testing.assert_close(total(fast, turned), total(scan_stepwise, b), rtol=1e-5, atol=1e-5)
    (mine,), (theirs,) = (torch.autograd.grad(total(form, b).sum(), a) for form in (fast, scan_stepwise))
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_inputs_are_not_modified() -> None:
    inputs = _given(2, 7, 3)
    before, probe = [part.detach().clone() for part in inputs], torch.randn(2, 7, 3)
    kept = probe.clone()
    scan(*inputs).backward(probe)
    assert all(torch.equal(part, was) for part, was in zip((*inputs, probe), (*before, kept), strict=True))


def test_bf16_is_summed_in_fp32() -> None:
    """A thousand steps of 1/256 come to 4: in bf16 a sum of 1 would not grow any more."""
    a, b, h = torch.ones(1, 1024, 1), torch.full((1, 1024, 1), 1 / 256), torch.zeros(1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        y = scan(a.bfloat16(), b.bfloat16(), h.bfloat16())
    assert y.dtype == torch.float32
    assert float(y[0, -1, 0]) == 4.0


def test_without_gradients_it_is_the_same() -> None:
    inputs = _given(2, 7, 3)
    expected = scan(*inputs)
    with torch.inference_mode():
        assert torch.equal(scan(*inputs), expected)


@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_compiled_it_is_the_same_and_by_doubling_a_single_graph() -> None:
    inputs, probe = _given(2, 7, 3), torch.randn(2, 7, 3)
    torch._dynamo.reset()
    assert torch._dynamo.explain(scan_by_doubling)(*inputs).graph_break_count == 0
    compiled = torch.compile(scan, backend="aot_eager")
    for mine, theirs in zip(_gradients(compiled, inputs, probe), _gradients(scan, inputs, probe), strict=True):
        torch.testing.assert_close(mine, theirs)
