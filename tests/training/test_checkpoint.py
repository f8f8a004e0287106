"""Checkpoints: whole or not at all, and never a wrong network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seqlab.errors import CheckpointError
from seqlab.interfaces import State
from seqlab.layers.embedding import TokenEmbedding, token_head
from seqlab.training.checkpoint import load_checkpoint, save_checkpoint
from seqlab.training.snapshot import flatten_state, unflatten_state
from seqlab.training.weights import load_network, network_tensors

_states: st.SearchStrategy[State] = st.recursive(
    st.integers(0, 9).map(lambda n: torch.tensor([n])), lambda inner: st.lists(inner, max_size=3).map(tuple)
)


def _same(a: State, b: State) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b)
    return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))


@given(_states)
def test_a_state_of_any_nesting_comes_back(state: State) -> None:
    tensors, shape = flatten_state(state)
    assert _same(unflatten_state(tensors, shape), state)


def test_what_is_saved_is_loaded_and_nothing_else_stays(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    tensors = {"a": shared.view(2, 3).T, "b": shared, "c": shared[2:4].to(torch.bfloat16)}
    for step in (1, 2):  # the second time over the first
        save_checkpoint(tmp_path / "step-1", tensors, {"step": step, "name": "é"})
    loaded, state = load_checkpoint(tmp_path / "step-1")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert state == {"format": 2, "step": 2, "name": "é"}
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]


def test_a_tied_weight_is_saved_once_and_stays_tied() -> None:
    def network() -> nn.Module:
        embed = TokenEmbedding(5, 4)
        return nn.ModuleDict({"embed": embed, "head": token_head(embed, tied=True)})

    first, second = network(), network()
    assert set(network_tensors(first)) == {"embed.weight", "head.bias"}
    load_network(second, network_tensors(first), "first")
    weights = dict(second.named_parameters(remove_duplicate=False))
    assert weights["embed.weight"] is weights["head.weight"]
    assert torch.equal(weights["head.weight"], dict(first.named_parameters())["embed.weight"])


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"weight is \(3, 2\) there and \(4, 2\) here"):
        load_network(nn.Linear(2, 4), network_tensors(nn.Linear(2, 3)), "x")
    with pytest.raises(CheckpointError, match="another network: bias"):
        load_network(nn.Linear(2, 4), network_tensors(nn.Linear(2, 4, bias=False)), "x")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "state"])
def test_a_damaged_checkpoint_is_an_error_that_says_so(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "step-1"
    save_checkpoint(folder, {"a": torch.zeros(100)}, {})
    file = folder / "tensors.safetensors"
    match damage:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(file.read_bytes()[:-50])
        case "text":
            file.write_bytes(b"not tensors at all, only text")
        case _:
            (folder / "state.json").write_text("{")
    with pytest.raises(CheckpointError):
        load_checkpoint(folder)
