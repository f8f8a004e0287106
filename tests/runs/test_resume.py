"""`seqlab resume`: as if the run had never stopped; and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmarks.reliability.world import curves, lines
from seqlab.checkpoints.files import STATE, TENSORS, read_checkpoint, write_checkpoint
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.config.run import load_run_config
from seqlab.config.sources import group_files
from seqlab.errors import CheckpointError, ConfigError, DataError, Interrupted, LockedError, NumericError
from seqlab.runs.lock import locked
from seqlab.runs.resume import Finished, resume
from seqlab.runs.train import train
from seqlab.runs.verify import verify
from seqlab.training.trainer import Trainer
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import tiny_overrides

FIXTURES = Path(__file__).parent.parent / "fixtures"
WORDS = (
    "model.dropout=0.2", "trainer.max_steps=9", "trainer.eval_every_steps=4", "trainer.log_every_steps=2",
    "trainer.save_every_steps=3", "device=cpu", "device.threads=1", "optim.learning_rate=0.01", "optim.warmup_steps=0",
)  # fmt: skip


@pytest.fixture
def here(corpus: Path, monkeypatch: Patch) -> Path:
    """The current folder, with corpus.txt in it."""
    monkeypatch.chdir(corpus.parent)
    return corpus.parent


def begin(folder: Path, *more: str, model: str = "lstm") -> None:
    """Train a run to its end."""
    given = {word.partition("=")[0] for word in more}
    words = [word for word in WORDS if word.partition("=")[0] not in given]
    overrides = tiny_overrides(model, "char_lm", *words, "task.corpus=corpus.txt", *more)
    train(load_run_config(overrides), overrides=overrides, folder=folder)


def go_on(folder: Path, *overrides: str) -> Any:
    return resume(folder, overrides)


def back_to(folder: Path, step: int) -> None:
    """As if a kill had ended the run soon after this checkpoint."""
    for checkpoint in checkpoints_in(folder / "checkpoints"):
        if int(checkpoint.name[5:]) > step:
            shutil.rmtree(checkpoint)
    (folder / "result.json").unlink(missing_ok=True)
    assert checkpoints_in(folder / "checkpoints")[-1].name == f"step-{step:08d}"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(checkpoints_in(folder / "checkpoints")[-1])[0]


def assert_same(a: Path, b: Path) -> None:
    """Everything that must not depend on how often a run was stopped."""
    assert lines(a) == lines(b)
    assert curves(a) == curves(b)
    left, right = weights(a), weights(b)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert (a / "samples.txt").read_text() == (b / "samples.txt").read_text()
    results = [json.loads((folder / "result.json").read_text()) for folder in (a, b)]
    for key in ("validation", "test", "test_interval", "best_step", "steps", "tokens"):
        assert results[0][key] == results[1][key], key


@pytest.mark.parametrize(
    ("model", "optim"),
    [("gru", "adamw"), ("transformer", "adamw"), *(("lstm", name) for name in group_files("optim", None))],
)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(here: Path, model: str, optim: str) -> None:
    begin(here / "whole", f"optim={optim}", model=model)
    begin(here / "killed", f"optim={optim}", model=model)
    back_to(here / "killed", 6 if (here / "killed/checkpoints/step-00000006").exists() else 8)
    # what a kill leaves: half a line, half a checkpoint, one that was being removed
    with (here / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "tok')
    for left in (".tmp-1", ".trash-step-00000003-1"):
        (here / "killed" / "checkpoints" / left).mkdir()
        (here / "killed" / "checkpoints" / left / STATE).write_text("{")
    go_on(here / "killed")
    assert_same(here / "whole", here / "killed")
    assert not list((here / "killed" / "checkpoints").glob(".*"))


@pytest.mark.slow
def test_real_processes_killed_and_stopped_end_as_one_that_was_not(here: Path) -> None:
    shared = [w for w in WORDS if not w.startswith(("trainer.max_steps", "trainer.save_every_steps"))]
    more = ("task.corpus=corpus.txt", "trainer.max_steps=400", "trainer.save_every_steps=20")
    words = tiny_overrides("lstm", "char_lm", *shared, *more)
    assert run("train", *words, "--folder", "whole", cwd=here).returncode == 0
    command = [sys.executable, "-m", "seqlab"]
    log = here / "stopped" / "metrics.jsonl"
    for number, what, until in (
        (signal.SIGTERM, ["train", *words, "--folder", "stopped"], 60),
        (signal.SIGKILL, ["resume", "stopped"], 120),
    ):
        with subprocess.Popen([*command, *what], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while not (log.exists() and f'"step": {until},' in log.read_text()):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == (143 if number == signal.SIGTERM else -9), said
        assert "Traceback" not in said
        if number == signal.SIGTERM:
            assert "continue with: seqlab resume stopped" in said
    done = run("resume", "stopped", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "continuing from step" in done.stderr
    assert "test bits_per_character" in done.stdout
    assert_same(here / "whole", here / "stopped")


def test_a_signal_in_a_step_with_a_validation_postpones_the_validation(here: Path, monkeypatch: Patch) -> None:
    from seqlab.tracking.recorder import Recorder

    begin(here / "whole")
    plain = Recorder.logged

    def stop(self: Recorder, progress: Any, scalars: dict[str, float]) -> None:
        plain(self, progress, scalars)
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "logged", stop)
        with pytest.raises(Interrupted) as stopped:
            begin(here / "stopped")
    assert stopped.value.exit_code == 143
    assert "kept step 4; continue with: seqlab resume" in stopped.value.allowed
    assert not any("val/loss" in line for line in lines(here / "stopped"))
    go_on(here / "stopped")
    assert_same(here / "whole", here / "stopped")


def test_a_run_that_was_stopped_before_its_first_checkpoint_starts_again(here: Path) -> None:
    begin(here / "whole")
    begin(here / "killed")
    shutil.rmtree(here / "killed" / "checkpoints")
    (here / "killed" / "result.json").unlink()
    go_on(here / "killed")
    assert_same(here / "whole", here / "killed")


@pytest.mark.parametrize("number", [2, 3])
def test_checkpoints_of_every_released_format_are_resumed(number: int, tmp_path: Path, monkeypatch: Patch) -> None:
    """Runs that this format's own version left at step 6 of 12; both went on to the same figures then."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / f"format-{number}"
    expected = lines(folder)
    result = go_on(folder)
    assert result.steps == 12
    assert result.test["loss"] == pytest.approx(3.1290413465114, rel=1e-4)
    written = lines(folder)
    assert [line["step"] for line in written] == [line["step"] for line in expected]
    for mine, theirs in zip(written, expected, strict=True):
        assert {name: mine[name] for name in theirs} == pytest.approx(theirs, rel=1e-4)  # more is measured today


def test_a_finished_run_says_so_and_can_be_extended(here: Path, capsys: Capture, monkeypatch: Patch) -> None:
    begin(here / "a", "optim.schedule=cosine")
    before = (here / "a" / "metrics.jsonl").read_text()
    code, out, err = in_process(capsys, monkeypatch, "resume", "a")
    assert (code, err) == (0, "")
    assert "is finished, at step 9; to continue: seqlab resume a trainer.max_steps=18" in out
    assert (here / "a" / "metrics.jsonl").read_text() == before
    assert isinstance(go_on(here / "a"), Finished)
    go_on(here / "a", "trainer.max_steps=14")
    # the same as a run that knew its schedule's end from the start, but for the validation at the first end
    begin(here / "b", "optim.schedule=cosine", "optim.horizon_steps=9", "trainer.max_steps=14")
    left, right = weights(here / "a"), weights(here / "b")
    assert all(torch.equal(left[name], right[name]) for name in left if name.startswith(("network", "optimizer")))
    stored = yaml.safe_load((here / "a" / "config.yaml").read_text())
    assert (stored["trainer"]["max_steps"], stored["optim"]["horizon_steps"]) == (14, 9)
    assert isinstance(go_on(here / "a"), Finished)
    assert json.loads((here / "a" / "result.json").read_text())["steps"] == 14
    assert "trainer.max_steps=14" in (here / "a" / "overrides.txt").read_text()


def test_verify_tells_equal_from_different(here: Path, capsys: Capture, monkeypatch: Patch) -> None:
    begin(here / "a")
    before = {path: path.read_bytes() for path in (here / "a").rglob("*") if path.is_file()}
    code, out, _ = in_process(capsys, monkeypatch, "resume", "a", "--verify")
    assert (code, out) == (0, "steps 8 to 9 trained once more: every bit is the same\n")
    assert {path: path.read_bytes() for path in (here / "a").rglob("*") if path.is_file()} == before
    last = checkpoints_in(here / "a" / "checkpoints")[-1]
    tensors, state = read_checkpoint(last)
    name = next(name for name in tensors if name.startswith("network."))
    tensors[name].view(-1)[0] = torch.nextafter(tensors[name].view(-1)[0], torch.tensor(9.0))
    write_checkpoint(last, tensors, state)
    with pytest.raises(CheckpointError, match=f"step 8 to 9 gives other bits in 1 places, first {name}"):
        verify(here / "a")


def test_only_what_extends_a_run_may_change(here: Path) -> None:
    begin(here / "a")
    back_to(here / "a", 8)
    logged = (here / "a" / "metrics.jsonl").read_text()
    for override, old in (
        ("model.width=32", 16),
        ("task.window=10", 12),
        ("seed=3", 0),
        ("trainer.clip_norm=9.0", 1.0),
        ("trainer.clip_norm=null", 1.0),
    ):
        key, _, new = override.partition("=")
        with pytest.raises(CheckpointError, match=f"cannot change {key} from {old} to {new}"):
            go_on(here / "a", override)
    with pytest.raises(ConfigError, match="has made 8 steps already"):
        go_on(here / "a", "trainer.max_steps=5")
    with pytest.raises(ConfigError, match="cannot be replaced"):
        go_on(here / "a", "model=gru")
    with pytest.raises(ConfigError, match=r"no setting 'trainer.max_stesp'"):
        go_on(here / "a", "trainer.max_stesp=20")
    path = here / "a" / "config.yaml"
    stored = path.read_text()
    path.write_text(stored.replace("width: 16", "width: 24").replace("seed: 0", "seed: 1"))
    with pytest.raises(CheckpointError, match=r"model\.width from 16 to 24; seed from 0 to 1") as refused:
        go_on(here / "a")
    assert "may change: trainer.max_steps" in refused.value.allowed
    path.write_text(stored)
    (here / "corpus.txt").write_text("another text of another length altogether\n" * 60)
    with pytest.raises(DataError, match="other data and symbols"):
        go_on(here / "a")
    assert (here / "a" / "metrics.jsonl").read_text() == logged  # nothing that was refused has touched the run


def test_another_machine_gives_a_warning(here: Path, capsys: Capture) -> None:
    begin(here / "a")
    back_to(here / "a", 8)
    checkpoint = here / "a" / "checkpoints" / "step-00000008"
    tensors, state = read_checkpoint(checkpoint)
    state["run"]["environment"] |= {"torch": "2.0.0", "cpu": "another"}
    write_checkpoint(checkpoint, tensors, state)
    go_on(here / "a", "device.threads=2")
    torch.set_num_threads(1)
    said = capsys.readouterr().err
    assert "warning: not bit-exact from step 8 on: " in said
    for part in ("cpu was another", "torch was 2.0.0", "threads was 1, is 2"):
        assert part in said
    resumed = json.loads((here / "a" / "environment.json").read_text())["resumed"]
    assert resumed[0]["step"] == 8
    assert resumed[0]["changed"]["threads"] == [1, 2]


def test_a_damaged_checkpoint_is_skipped_unless_it_is_named(here: Path, capsys: Capture) -> None:
    begin(here / "whole")
    begin(here / "a")
    (here / "a" / "result.json").unlink()
    newest = here / "a" / "checkpoints" / "step-00000009"
    data = bytearray((newest / TENSORS).read_bytes())
    data[-1] ^= 1
    (newest / TENSORS).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"step-00000009 is damaged: tensors\.safetensors is not"):
        go_on(newest)
    go_on(here / "a")
    assert "is damaged" in capsys.readouterr().err
    assert_same(here / "whole", here / "a")
    assert (here / "a" / "checkpoints" / "aside-step-00000009").exists()
    for checkpoint in checkpoints_in(here / "a" / "checkpoints"):
        (checkpoint / STATE).write_bytes(b"")
    (here / "a" / "result.json").unlink()
    with pytest.raises(CheckpointError, match=r"all 2 checkpoints in .* are damaged"):
        go_on(here / "a")


def test_going_back_to_an_earlier_checkpoint_sets_the_later_ones_aside(here: Path) -> None:
    begin(here / "whole")
    begin(here / "a")
    go_on(here / "a" / "checkpoints" / "step-00000008")
    assert_same(here / "whole", here / "a")
    assert sorted(path.name for path in (here / "a" / "checkpoints").iterdir()) == [
        "aside-step-00000009", "step-00000008", "step-00000009",
    ]  # fmt: skip
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        go_on(here / "a" / "checkpoints" / "step-00000005")


def test_two_processes_cannot_resume_one_run(here: Path, capsys: Capture, monkeypatch: Patch) -> None:
    begin(here / "a")
    with locked(here / "a"):
        code, _, err = in_process(capsys, monkeypatch, "resume", "a")
    assert code == 7
    assert f"locked by process {os.getpid()}" in err
    # the lock of a process that is gone is nobody's
    (here / "a" / ".lock").write_text("999999\n")
    assert isinstance(go_on(here / "a"), Finished)


def test_a_lock_is_seen_by_another_process(here: Path) -> None:
    holder = "import sys, time\nfrom pathlib import Path\nfrom seqlab.runs.lock import locked\n"
    holder += "with locked(Path('a')):\n    print('held', flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LockedError, match=f"process {process.pid}"), locked(here / "a"):
            pass
        process.kill()
    with locked(here / "a"):
        pass


@pytest.fixture
def quiet_full_disk(monkeypatch: Patch) -> Iterator[None]:
    """metrics.jsonl cannot be written: /dev/full takes the place of its file."""
    plain = Path.open

    def full(self: Path, *arguments: Any, **named: Any) -> Any:
        target = Path("/dev/full") if self.name == "metrics.jsonl" else self
        return plain(target, *arguments, **named)

    monkeypatch.setattr(Path, "open", full)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("quiet_full_disk")
def test_an_unwritable_log_gives_one_warning(here: Path, capsys: Capture) -> None:
    begin(here / "a")
    said = capsys.readouterr().err
    assert said.count("cannot write metrics.jsonl: No space left on device; training continues without it") == 1
    assert (here / "a" / "result.json").exists()
    assert "Traceback" not in said


def test_a_run_with_a_result_and_no_checkpoints_is_not_trained_again(here: Path) -> None:
    begin(here / "a")
    shutil.rmtree(here / "a" / "checkpoints")
    before = {
        path: path.read_bytes() for path in (here / "a").rglob("*") if path.is_file() and path.name != "train.log"
    }
    with pytest.raises(CheckpointError, match="has a result and no checkpoints"):
        go_on(here / "a")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "end",
    [
        ("trainer.max_steps=null", "trainer.max_epochs=1", "trainer.save_every_steps=7"),
        ("trainer.max_steps=null", "trainer.max_seconds=0.1", "trainer.save_every_steps=4"),
        ("trainer.patience=1", "optim.learning_rate=1e-9", "trainer.max_steps=50"),
    ],
)
def test_runs_that_ended_in_any_way_are_verified_and_extended(here: Path, end: tuple[str, ...]) -> None:
    begin(here / "a", "optim.schedule=constant", *end)
    start, last = verify(here / "a")
    assert start < last
    finished = go_on(here / "a")
    assert isinstance(finished, Finished)
    assert finished.more.partition("=")[0] in {word.partition("=")[0] for word in end}
    result = go_on(here / "a", finished.more)
    assert result.steps > finished.step


def test_a_run_that_ended_with_a_non_finite_loss_is_verified_too(here: Path) -> None:
    ruinous = ("optim.learning_rate=1e38", "trainer.clip_norm=null", "trainer.nonfinite_limit=2")
    with pytest.raises(NumericError) as ended:
        begin(here / "a", *ruinous, model="rnn")
    assert "continue with: seqlab resume" in ended.value.allowed
    newest = checkpoints_in(here / "a" / "checkpoints")[-1]
    assert read_checkpoint(newest)[1]["progress"]["failed"]
    assert verify(here / "a")[1] == int(newest.name[5:])


def test_a_kill_in_the_last_evaluation_logs_no_line_twice(here: Path, monkeypatch: Patch) -> None:
    """The best step is the last one, in the middle of an interval: its line is logged after its checkpoint."""
    more = ("trainer.max_steps=8", "trainer.log_every_steps=3")
    begin(here / "whole", *more)
    assert [line["step"] for line in lines(here / "whole") if "train/loss" in line] == [3, 6, 8]

    trainer: Any = import_module("seqlab.training.trainer")
    plain, saved = trainer.save_checkpoint, [0]

    def killed(which: Any, folder: Path) -> None:
        saved[0] += which.progress.step == 8
        if saved[0] == 2:  # after the line was logged, before the checkpoint that knows of it
            raise KeyboardInterrupt
        plain(which, folder)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            begin(here / "a", *more)
    newest = read_checkpoint(here / "a" / "checkpoints" / "step-00000008")[1]
    assert newest["interval"]["targets"] > 0
    assert [line["step"] for line in lines(here / "a") if "train/loss" in line] == [3, 6, 8]
    go_on(here / "a")
    assert_same(here / "whole", here / "a")


def test_a_signal_in_a_validation_postpones_it(here: Path, monkeypatch: Patch) -> None:
    from seqlab.metrics.likelihood import RunningTextMeter

    begin(here / "whole")
    plain, validate, updates, validating = RunningTextMeter.update, Trainer.validate, [0], [False]

    def stop(self: RunningTextMeter, *arguments: Any) -> None:
        plain(self, *arguments)
        updates[0] += validating[0]  # before the first one, the meter is tried on a batch, and timed
        if updates[0] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    def begun(self: Trainer[Any]) -> bool:
        validating[0] = True
        return validate(self)

    with monkeypatch.context() as patch:
        patch.setattr(RunningTextMeter, "update", stop)
        patch.setattr(Trainer, "validate", begun)
        with pytest.raises(Interrupted) as stopped:
            begin(here / "stopped")
    assert stopped.value.exit_code == 130
    assert updates[0] == 1
    go_on(here / "stopped")
    assert_same(here / "whole", here / "stopped")


def test_a_lost_best_checkpoint_is_reported(here: Path, capsys: Capture) -> None:
    begin(here / "a")
    newest, best = (here / "a" / "checkpoints" / f"step-0000000{step}" for step in (9, 8))
    tensors, state = read_checkpoint(newest)
    state["progress"]["best_step"] = 8
    write_checkpoint(newest, tensors, state)
    (here / "a" / "result.json").unlink()
    result = go_on(here / "a")
    assert result.best_step == 8
    (here / "a" / "result.json").unlink()
    (best / TENSORS).write_bytes(b"")
    again = go_on(here / "a")
    assert again.best_step == 9
    assert again.test != result.test
    assert "the best checkpoint is lost" in capsys.readouterr().err


def test_a_device_chosen_on_resuming_is_kept(here: Path) -> None:
    """A device that was changed on resuming is not reverted by an older checkpoint."""
    begin(here / "a", "device.threads=null")
    back_to(here / "a", 8)
    checkpoint = here / "a" / "checkpoints" / "step-00000008"
    tensors, state = read_checkpoint(checkpoint)
    state["run"]["environment"]["device"], state["run"]["config"]["device"]["type"] = "mps", "auto"
    write_checkpoint(checkpoint, tensors, state)
    path = here / "a" / "config.yaml"
    path.write_text(path.read_text().replace("type: cpu", "type: auto"))
    with pytest.raises(ConfigError, match="device=mps") as missing:
        go_on(here / "a")
    assert "device.type=cpu" in missing.value.hint
    path.write_text(path.read_text().replace("type: auto", "type: cpu"))
    assert go_on(here / "a").steps == 9


def test_auto_set_on_resuming_is_measured_then(here: Path) -> None:
    begin(here / "a")
    back_to(here / "a", 8)
    go_on(here / "a", "device.compile=auto")
    facts = json.loads((here / "a" / "environment.json").read_text())
    assert facts["chosen"]["compile"] is False


def test_a_resumed_run_does_not_measure_again(here: Path, monkeypatch: Patch) -> None:
    begin(here / "a", "device.threads=auto", "device.compile=auto")
    chosen = json.loads((here / "a" / "environment.json").read_text())
    assert [reason.partition("=")[0] for reason in chosen["reasons"]] == ["device.threads", "device.compile"]
    assert chosen["chosen"]["compile"] is False
    back_to(here / "a", 8)
    monkeypatch.setattr("seqlab.runs.device.decide_by_steps", None)
    torch.set_num_threads(chosen["threads"] + 1)
    try:
        go_on(here / "a")
        assert torch.get_num_threads() == chosen["threads"]
    finally:
        torch.set_num_threads(1)
    resumed = json.loads((here / "a" / "environment.json").read_text())
    assert resumed["resumed"][0]["changed"] == {}
    assert resumed["reasons"] == chosen["reasons"]


def test_a_resumed_run_does_not_read_init_from_again(here: Path) -> None:
    begin(here / "source")
    begin(here / "a", f"init_from={here / 'source'}")
    begin(here / "b", f"init_from={here / 'source'}", "trainer.save_every_steps=100", "trainer.eval_every_steps=100")
    shutil.rmtree(here / "source")
    assert checkpoints_in(here / "b" / "checkpoints")[0].name == "step-00000000"
    back_to(here / "b", 0)
    go_on(here / "b")
    left, right = weights(here / "a"), weights(here / "b")
    assert all(torch.equal(left[name], right[name]) for name in left if name.startswith("network."))


def test_an_unreadable_environment_is_written_again(here: Path) -> None:
    from seqlab import load

    begin(here / "a")
    back_to(here / "a", 8)
    (here / "a" / "environment.json").write_text('{"packages": [], "chosen": 3, "resumed": {}, "threads": NaN')
    go_on(here / "a")
    assert load(here / "a").network
