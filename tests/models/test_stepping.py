"""Position by position, `start` computes what forward does at once; for every family, alone and with a source."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, Role, SequenceModel, Step
from seqlab.core.state import State, same_shapes, select_rows, tensors
from tests.conftest import MODELS, forms, tiny_config

T, S, D = 11, 7, 16


FORMS = [(name, overrides) for name in MODELS for overrides in forms(name)]


def _model(name: str, role: Role, *overrides: str) -> SequenceModel:
    torch.manual_seed(0)
    model = tiny_config(name, "char_lm", *overrides).model.build(role).eval()
    for parameter in model.parameters():  # biases start at zero: give each a value of its own
        nn.init.normal_(parameter, std=0.3)
    return model


def _memory(rows: int) -> Memory:
    valid_BS = torch.arange(S) < torch.randint(1, S + 1, (rows, 1))
    return Memory(torch.randn(rows, S, D), valid_BS, torch.randn(rows, D))


def _step_through(step: Step, x_BTD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
    """All of x_BTD read position by position."""
    outputs = []
    for x_BD in x_BTD.unbind(1):
        y_BD, state = step(x_BD, state, memory)
        outputs.append(y_BD)
    return torch.stack(outputs, 1), state


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(("name", "overrides"), FORMS)
@torch.no_grad()
def test_single_steps_equal_the_whole_sequence(name: str, overrides: tuple[str, ...], rows: int) -> None:
    model, x_BTD = _model(name, Role.DECODER, *overrides), torch.randn(rows, T, D)
    expected_BTD, _ = model(x_BTD, model.initial_state(rows))
    _, expected_state = model(x_BTD, model.initial_state(rows, capacity=T))
    y_BTD, state = _step_through(model.start(), x_BTD, model.initial_state(rows, capacity=T))
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-4, atol=1e-5)
    assert same_shapes(state, expected_state)
    for mine, theirs in zip(tensors(state), tensors(expected_state), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(("name", "overrides"), FORMS)
@torch.no_grad()
def test_single_steps_with_a_source_equal_the_whole_sequence(name: str, overrides: tuple[str, ...], rows: int) -> None:
    model, memory = _model(name, Role.CROSS_DECODER, *overrides), _memory(rows)
    x_BTD = torch.randn(rows, T, D)
    expected_BTD, _ = model(x_BTD, model.initial_state(rows), memory=memory)
    y_BTD, _ = _step_through(model.start(), x_BTD, model.initial_state(rows, capacity=T), memory)
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_missing_source_is_refused(name: str) -> None:
    model = _model(name, Role.CROSS_DECODER)
    with pytest.raises(ValueError, match="needs the memory of its source"):
        _step_through(model.start(), torch.randn(1, 1, D), model.initial_state(1, capacity=2))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_step_and_forward_continue_from_each_others_states(name: str) -> None:
    model, x_BTD, rows_R = _model(name, Role.DECODER), torch.randn(3, T, D), torch.tensor([2, 0, 2])
    expected_BTD, _ = model(x_BTD[rows_R], model.initial_state(3))
    _, state = model(x_BTD[:, :4], model.initial_state(3, capacity=T))
    stepped_BTD, state = _step_through(model.start(), x_BTD[rows_R, 4:8], select_rows(state, rows_R))
    last_BTD, _ = model(x_BTD[rows_R, 8:], state)
    torch.testing.assert_close(torch.cat((stepped_BTD, last_BTD), 1), expected_BTD[:, 4:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("role", [Role.DECODER, Role.CROSS_DECODER])
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_table_of_all_inputs_takes_their_indices(name: str, role: Role) -> None:
    model, table_VD, token_TB = _model(name, role), torch.randn(9, D), torch.randint(9, (T, 2))
    memory = _memory(2) if role is Role.CROSS_DECODER else None
    expected_BTD, _ = model(table_VD[token_TB.T], model.initial_state(2), memory=memory)
    step, state = model.start(table_VD), model.initial_state(2, capacity=T)
    for t, token_B in enumerate(token_TB):
        y_BD, state = step(token_B, state, memory)
        torch.testing.assert_close(y_BD, expected_BTD[:, t], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_step_by_itself_is_one_position(name: str) -> None:
    model, x_BTD = _model(name, Role.DECODER), torch.randn(3, T, D)
    expected_BTD, _ = model(x_BTD, model.initial_state(3))
    y_BTD, _ = _step_through(model.step, x_BTD, model.initial_state(3, capacity=T))
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_single_steps_in_bf16_equal_the_whole_sequence_rounded(name: str) -> None:
    """Evaluation decodes under autocast."""
    model, x_BTD = _model(name, Role.DECODER), torch.randn(3, T, D)
    expected_BTD, _ = model(x_BTD, model.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        y_BTD, _ = _step_through(model.start(), x_BTD, model.initial_state(3, capacity=T))
    torch.testing.assert_close(y_BTD.float(), expected_BTD, rtol=0.05, atol=0.1)
