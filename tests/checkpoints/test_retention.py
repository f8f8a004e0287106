"""Which checkpoints are kept, and which one a run resumes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.checkpoints.files import read_checkpoint, write_checkpoint
from seqlab.checkpoints.retention import checkpoint_path, checkpoints_in, newest_whole, set_aside, step_of
from seqlab.errors import CheckpointError


def make(folder: Path, *steps: int) -> None:
    for step in steps:
        write_checkpoint(checkpoint_path(folder, step), {"a": torch.zeros(1)}, {"step": step})


@given(st.integers(0, 10**12))
def test_a_step_is_read_back_from_its_name(step: int) -> None:
    assert step_of(checkpoint_path(Path("x"), step)) == step


def test_only_checkpoints_count_in_the_order_of_their_steps(tmp_path: Path) -> None:
    make(tmp_path, 9, 10, 123456789)
    for name in ("step-", "step-x", "step-１", "aside-step-00000001", ".tmp-1"):
        (tmp_path / name).mkdir()
    assert [step_of(path) for path in checkpoints_in(tmp_path)] == [9, 10, 123456789]
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        step_of(tmp_path / "latest")


def test_the_newest_undamaged_checkpoint_is_found_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_whole(tmp_path, read_checkpoint) is None
    make(tmp_path, 1, 2, 3)
    for step in (2, 3):
        (checkpoint_path(tmp_path, step) / "state.json").write_text("{}")
    found = newest_whole(tmp_path, read_checkpoint)
    assert found is not None
    assert found[0] == checkpoint_path(tmp_path, 1)
    warned = {record.getMessage().partition(" is damaged")[0][-8:] for record in caplog.records}
    assert warned == {"00000003", "00000002"}
    (checkpoint_path(tmp_path, 1) / "MANIFEST.json").unlink()
    with pytest.raises(CheckpointError, match="all 3 checkpoints"):
        newest_whole(tmp_path, read_checkpoint)


def test_later_checkpoints_are_set_aside_not_deleted(tmp_path: Path) -> None:
    make(tmp_path, 1, 2, 3)
    set_aside(tmp_path, 2)
    make(tmp_path, 3)
    set_aside(tmp_path, 2)  # once more, beside the first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "aside-step-00000003", "aside-step-00000003-2", "step-00000001", "step-00000002",
    ]  # fmt: skip
