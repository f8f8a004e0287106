"""The other contracts of a sequence model: each broken one is found by its own check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seqlab.contracts.built import Built, undisturbed
from seqlab.contracts.sequences import (
    check_padding,
    check_rows,
    check_shapes,
    check_signals,
    check_single_steps,
    check_windows,
)
from seqlab.core.model import Role
from seqlab.errors import ConfigError
from tests.contracts.test_causality import _built

BROKEN: list[tuple[str, Role, Callable[[Built], None], str]] = [
    ("WrongShape", Role.DECODER, check_shapes, "same shape|maps"),
    ("NotFinite", Role.DECODER, check_shapes, "output at position 0 is not finite"),
    ("StateByPosition", Role.DECODER, check_shapes, r"tensor of shape \(8, 24\) for 3 rows"),
    ("NestedOtherwise", Role.DECODER, check_shapes, "nested as"),
    ("ForgetsItsState", Role.DECODER, check_windows, r"differs from reading the whole sequence at position 1\n"),
    ("SharesItsState", Role.DECODER, check_rows, "same row in a batch"),
    ("AcrossRows", Role.ENCODER, check_rows, "same row in a batch at position 0"),
    ("Centred", Role.ENCODER, check_padding, "padding changes"),
    ("TimeNorm", Role.ENCODER, check_padding, "padding changes"),
    ("Bidirectional", Role.ENCODER, check_padding, "padding changes"),
    ("OtherSteps", Role.DECODER, check_single_steps, "generation differ"),
    ("OtherTable", Role.DECODER, check_single_steps, "from a table, differ"),
    ("SignalsOfTheLast", Role.DECODER, check_signals, r"signal gate has shape \(3, 8\) for 3 rows of 24"),
    ("SignalsWithoutHidden", Role.ENCODER, check_signals, "signals are gate, and `hidden`"),
]


@pytest.mark.parametrize(("name", "role", "check", "why"), BROKEN)
def test_each_broken_contract_is_found(name: str, role: Role, check: Callable[[Built], None], why: str) -> None:
    built = _built(name, role=role)
    built.model.eval()
    with undisturbed(), pytest.raises(ConfigError, match=why) as error:
        check(built)
    assert error.value.hint


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("steps", [1, 2, 5, 24, 100])
@pytest.mark.parametrize("name", ["WithState", "MaskedCentred", "Animal", "SpectralNorm", "Constant"])
def test_no_false_alarm(name: str, role: Role, steps: int) -> None:
    built = _built(name, role=role, steps=steps)
    built.model.eval()
    with undisturbed():
        for check in (check_shapes, check_padding, check_rows, check_windows, check_single_steps, check_signals):
            check(built)
