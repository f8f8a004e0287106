"""The logs of a resumed run: exactly their content at its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from benchmarks.reliability.world import curves
from seqlab.runs.rewind import rewind_logs
from seqlab.tracking.csv import CSVConfig
from seqlab.tracking.tensorboard import TensorBoardConfig
from seqlab.tracking.tracker import Kept
from seqlab.training.progress import Progress


def write(folder: Path) -> None:
    """Six steps, validations at 2, 4 and 6, and the test figures."""
    records = []
    with SummaryWriter(str(folder)) as board:
        board.add_text("config", "as it was", 0)
        for step in range(1, 7):
            records.append({"step": step, "train/loss": 1.0 / step})
            board.add_scalar("train/loss", 1.0 / step, step)
            if step % 2 == 0:
                records.append({"step": step, "val/loss": 2.0 / step})
                board.add_scalar("val/loss", 2.0 / step, step)
        records.append({"step": 6, "test/loss": 0.5})
        board.add_scalar("test/loss", 0.5, 6)  # as runs of before have it
        board.add_scalar("val_best/loss", 0.4, 6)
        board.add_text("sample", "abc", 6)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def steps(folder: Path) -> list[tuple[int, str]]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(record["step"], next(key for key in record if key != "step")) for record in records]


def test_later_records_are_removed(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, Progress(step=4, evaluated_step=4), [TensorBoardConfig()])
    assert steps(tmp_path)[-2:] == [(4, "train/loss"), (4, "val/loss")]
    shown = curves(tmp_path)
    assert [step for step, _ in shown["train/loss"]] == [1, 2, 3, 4]
    assert [step for step, _ in shown["val/loss"]] == [2, 4]
    assert not {"test/loss", "val_best/loss"} & shown.keys()


def test_the_record_of_a_postponed_validation_is_removed(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, Progress(step=4, evaluated_step=2), [TensorBoardConfig()])
    assert steps(tmp_path)[-1] == (4, "train/loss")
    assert [step for step, _ in curves(tmp_path)["val/loss"]] == [2]


def test_the_line_of_an_open_interval_is_removed(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, Progress(step=4, evaluated_step=4), [TensorBoardConfig()], open_interval=True)
    assert steps(tmp_path)[-2:] == [(3, "train/loss"), (4, "val/loss")]
    assert [step for step, _ in curves(tmp_path)["train/loss"]] == [1, 2, 3]


def test_final_records_are_removed(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, Progress(step=6, evaluated_step=6), [TensorBoardConfig()])
    assert steps(tmp_path)[-1] == (6, "val/loss")
    assert not {"test/loss", "val_best/loss"} & curves(tmp_path).keys()


def test_logs_without_later_records_are_unchanged(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, Progress(step=6, evaluated_step=6), [TensorBoardConfig()])
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.glob("events*")}
    rewind_logs(tmp_path, Progress(step=6, evaluated_step=6), [TensorBoardConfig()])
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.glob("events*")} == before


def test_a_run_that_starts_again_has_no_logs(tmp_path: Path) -> None:
    write(tmp_path)
    rewind_logs(tmp_path, None, [TensorBoardConfig()])
    assert (tmp_path / "metrics.jsonl").read_text() == ""
    assert not list(tmp_path.glob("events*"))


def test_lines_and_events_that_a_kill_cut_short_are_dropped(tmp_path: Path) -> None:
    write(tmp_path)
    events = next(tmp_path.glob("events*"))
    events.write_bytes(events.read_bytes()[:-7])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "train/lo')
    rewind_logs(tmp_path, Progress(step=3, evaluated_step=2), [TensorBoardConfig()])
    assert steps(tmp_path)[-1] == (3, "train/loss")
    assert [step for step, _ in curves(tmp_path)["train/loss"]] == [1, 2, 3]


def test_an_odd_table_is_cut_back_and_what_fails_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path)
    table = tmp_path / "metrics.csv"
    table.write_text("step,train/loss\n1,0.5,9,9\n²,0.4\n3\n6,0.1\n", encoding="utf-8")
    rewind_logs(tmp_path, Progress(step=4, evaluated_step=4), [CSVConfig()])
    assert table.read_text() == "step,tokens,seconds,train/loss\n1,,,0.5\n"

    class Odd(CSVConfig):
        def rewind(self, folder: Path, kept: Kept) -> None:
            raise KeyError("tokens")

    rewind_logs(tmp_path, Progress(step=4, evaluated_step=4), [Odd(), TensorBoardConfig()])
    assert [entry.getMessage() for entry in caplog.records] == ["cannot cut back what Odd has logged: 'tokens'"]
    assert [step for step, _ in curves(tmp_path)["train/loss"]] == [1, 2, 3, 4]
