"""Checkpoints: whole or not at all, and never a wrong network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqlab.checkpoints import files as checkpoint
from seqlab.checkpoints.files import DamagedError, read_checkpoint, sweep, write_checkpoint
from seqlab.checkpoints.nested import flatten_state, unflatten_state
from seqlab.checkpoints.weights import load_network, network_tensors
from seqlab.core.state import State
from seqlab.errors import CheckpointError
from seqlab.layers.embedding import TokenEmbedding, token_head

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


def test_a_saved_checkpoint_is_loaded_and_replaces_an_older_one(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    tensors = {"a": shared.view(2, 3).T, "b": shared, "c": shared[2:4].to(torch.bfloat16)}
    for step in (1, 2):  # the second time over the first
        write_checkpoint(tmp_path / "step-1", tensors, {"step": step, "name": "é"})
    loaded, state = read_checkpoint(tmp_path / "step-1")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert state == {"format": checkpoint.FORMAT, "step": 2, "name": "é"}
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


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "cut", "text", "state", "manifest", "no manifest", "link", "pipe"]
)
def test_a_damaged_checkpoint_is_an_error_that_says_so(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "step-1"
    write_checkpoint(folder, {"a": torch.zeros(100)}, {})
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
        case "manifest":
            (folder / "MANIFEST.json").write_bytes(b"")
        case "no manifest":
            (folder / "MANIFEST.json").unlink()
        case "link":
            file.rename(tmp_path / "elsewhere")
            file.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            file.unlink()
            os.mkfifo(file)
        case _:
            (folder / "state.json").write_text("{")
    with pytest.raises(DamagedError, match="is damaged: "):
        read_checkpoint(folder)


@settings(deadline=None)
@given(st.data())
def test_no_flipped_bit_goes_unnoticed(data: st.DataObject) -> None:
    """In a weight, in the state, or in the manifest itself, where a space could become another character."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where) / "step-1"
        write_checkpoint(folder, {"a": torch.arange(3.0), "b": torch.ones(2)}, {"step": 1})
        file = data.draw(st.sampled_from(sorted(folder.iterdir())))
        raw = bytearray(file.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[bit // 8] ^= 1 << bit % 8
        file.write_bytes(raw)
        with pytest.raises(DamagedError):
            read_checkpoint(folder)


def test_a_newer_format_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    write_checkpoint(tmp_path / "step-1", {}, {})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="newer seqlab") as refused:
        read_checkpoint(tmp_path / "step-1")
    assert not isinstance(refused.value, DamagedError)


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "step-1", {"a": torch.zeros(3)}, {"try": 1})
    plain = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name.startswith(".tmp-"):
            raise OSError(28, "No space left on device")
        return plain(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(tmp_path / "step-1", {"a": torch.ones(3)}, {"try": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]
    assert read_checkpoint(tmp_path / "step-1")[1]["try"] == 1


def test_sweep_repairs_what_kills_left_behind(tmp_path: Path) -> None:
    for name in ("step-1", ".old-step-1", ".old-step-2", ".tmp-77", ".trash-step-0-77"):
        write_checkpoint(tmp_path / name, {}, {"from": name})
    sweep(tmp_path)
    # step 2 had been moved away for a newer one that never came
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-1", "step-2"]
    assert read_checkpoint(tmp_path / "step-1")[1]["from"] == "step-1"
    assert read_checkpoint(tmp_path / "step-2")[1]["from"] == ".old-step-2"
