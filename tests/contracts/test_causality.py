"""Leaking models are caught, all of them, with the positions; models that do not leak never are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import pytest
import torch

from seqlab.contracts.built import Built, undisturbed
from seqlab.contracts.causality import check_causality
from seqlab.core.model import Role, SequenceModel
from seqlab.errors import ConfigError
from tests.contracts import zoo

T, D = 24, 8
FUTURE = [
    *(("Future", size) for size in (1, 2, 3, 7, T - 2, T - 1)),
    *(("Centred", size) for size in (1, 4)),
    *((name, 3) for name in ("ClosedGate", "GateOtherWay", "Rounded", "OnlyInTraining", "OnlyInEvaluation")),
    *((name, 1) for name in ("TimeNorm", "InstanceNorm", "BatchNorm", "Unmasked", "Bidirectional", "LastState")),
    *(("Blocks", size) for size in (2, 3, 4, 8, T)),
]
HONEST = ("Animal", "Causal", "Fourier", "SpectralNorm", "Growing", "Steep", "Constant")


def _built(name: str, size: int = 1, role: Role = Role.DECODER, steps: int = T) -> Built:
    torch.manual_seed(0)
    model: SequenceModel = getattr(zoo, name)(D, size)
    return Built(f"model={name}", model, role, D, steps)


def _refused(built: Built, *, every_position: bool = False) -> str:
    with undisturbed(), pytest.raises(ConfigError) as error:
        check_causality(built, every_position=every_position)
    assert error.value.exit_code == 2
    assert error.value.hint
    return error.value.what


@pytest.mark.parametrize("role", [Role.DECODER, Role.CROSS_DECODER])
@pytest.mark.parametrize(("name", "size"), FUTURE)
def test_a_model_that_sees_the_future_is_caught_with_its_positions(name: str, size: int, role: Role) -> None:
    what = _refused(_built(name, size, role))
    found = re.search(r"its output at position (\d+) depends on the input at position (\d+) \(in \w+\)", what)
    assert found is not None, what
    position, source = map(int, found.groups())
    assert 0 <= position < source < T
    if name in ("Future", "ClosedGate", "GateOtherWay", "Rounded", "OnlyInTraining", "OnlyInEvaluation"):
        assert source - position == size
    elif name == "Centred":
        assert source - position <= size
    elif name == "Blocks":
        assert position // size == source // size
    assert what.startswith(f"model={name} as a {role.value.replace('_', ' ')} sees the future")


@pytest.mark.parametrize("steps", [2, 3, 100, 700])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_leak_of_any_number_of_positions_is_caught(steps: int, share: float) -> None:
    size = 1 + round(share * (steps - 2))
    what = _refused(_built("Future", size, steps=steps))
    position, source = map(int, re.findall(r"position (\d+)", what))
    assert source - position == size


@pytest.mark.parametrize("name", ["Remembers", "RemembersInTraining", "RemembersInABuffer"])
def test_memory_outside_the_state_is_caught(name: str) -> None:
    assert "has memory outside its state" in _refused(_built(name))


def test_rows_that_see_each_other_are_caught() -> None:
    what = _refused(_built("AcrossRows"))
    position, source = map(int, re.findall(r"position (\d+)", what))
    assert "mixes the rows" in what
    assert position == source


@pytest.mark.parametrize("place", range(0, T - 1, 5))
def test_every_position_is_checked_on_request(place: int) -> None:
    what = _refused(_built("OnePlace", place), every_position=True)
    assert f"output at position {place} depends on the input at position {place + 1} " in what


FAR = [name for name in vars(zoo) if name.startswith("FarPlace")]


@pytest.mark.parametrize(("steps", "place"), [(64, 0), (64, 37), (64, 60), (300, 237)])
@pytest.mark.parametrize("name", FAR)
def test_a_leak_of_one_position_alone_is_caught_wherever_it_is(name: str, steps: int, place: int) -> None:
    what = _refused(_built(name, place, steps=steps), every_position=True)
    assert f"output at position {place} depends on the input at position {place + 3} " in what


@pytest.mark.parametrize(("steps", "window"), [(64, 16), (64, 32), (64, 63), (300, 256)])
def test_a_leak_only_across_the_border_of_two_windows_is_caught(steps: int, window: int) -> None:
    what = _refused(_built("AcrossBorder", window, steps=steps), every_position=True)
    position, source = map(int, re.findall(r"position (\d+)", what))
    assert (position % window, source) == (window - 1, position + 1)


def test_every_position_takes_few_calls() -> None:
    """A model that loops over time in Python is slow by the call, not by the row."""

    def calls(every: bool) -> int:
        built, count = _built("Causal", steps=64), 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        built.model.register_forward_hook(note)
        check_causality(built, every_position=every)
        return count

    assert calls(True) <= 2 * calls(False)


@pytest.mark.parametrize(("name", "every"), list(product(HONEST, (False, True))))
def test_no_false_alarm(name: str, every: bool) -> None:
    for steps in (1, 2, T, 300):
        check_causality(_built(name, 3, steps=steps), every_position=every and steps <= T)


@pytest.mark.parametrize("name", ["Bidirectional", "Centred", "BatchNorm"])
def test_an_encoder_may_see_everything(name: str) -> None:
    check_causality(_built(name, role=Role.ENCODER))


def test_nothing_is_disturbed() -> None:
    built = _built("BatchNorm")
    built.model.eval()

    def everything() -> Sequence[object]:
        return [torch.get_rng_state().tolist(), built.model.training, *(p.tolist() for p in built.model.parameters())]

    before = everything()
    _refused(built)
    assert everything() == before
