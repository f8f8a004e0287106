"""The command line as users run it: in a process of its own."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from seqlab.config.sources import group_files
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import MODELS, tiny_overrides

TINY = [*tiny_overrides("rnn", "char_lm"), "device.threads=1"]


def test_help_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['seqlab', *sys.argv[1:]]\n"
        "from seqlab.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'tensorboard', 'numpy', 'scipy', 'sklearn'}\n"
        "heavy &= {m.split('.')[0] for m in sys.modules}\n"
        "assert not heavy, heavy\n"
    )
    for words in (["--help"], ["train", "--help"], ["--version"], ["list"], ["list", "models"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_train_writes_a_complete_run_folder(tmp_path: Path) -> None:
    done = run("train", *TINY, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # stdout is the result and nothing else
    folder = tmp_path / result["folder"]
    assert re.fullmatch(r"runs/char_lm/rnn/\d{8}-\d{6}-s0", result["folder"])
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "config.yaml", "overrides.txt", "environment.json", "metrics.jsonl", "result.json", "samples.txt",
        "train.log", "checkpoints",
    }  # fmt: skip
    assert (folder / "overrides.txt").read_text().splitlines() == TINY
    stored = json.loads((folder / "result.json").read_text())
    assert stored == result
    assert {
        "task", "model", "seed", "parameters", "steps", "tokens", "seconds", "tokens_per_second",
        "peak_memory_bytes", "best_step", "validation", "test", "test_interval",
    } <= stored.keys()  # fmt: skip
    low, high = stored["test_interval"]
    assert low <= stored["test"]["bits_per_character"] <= high
    machine = json.loads((folder / "environment.json").read_text())
    assert machine["packages"]["torch"]
    assert re.fullmatch("[0-9a-f]{64}", machine["data_sha256"])
    assert re.fullmatch("[0-9a-f]{64}", machine["heldout_sha256"])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all({"step", "tokens", "seconds"} <= line.keys() for line in lines)
    assert [line["step"] for line in lines if "train/loss" in line] == [1, 2, 3, 4]


def test_tensorboard_reads_all_logs_as_one_run(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    monkeypatch.chdir(tmp_path)
    code, _, err = in_process(capsys, monkeypatch, "train", *TINY, "--name", "board", "--quiet")
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "char_lm" / "rnn" / "board"
    events = list(tmp_path.rglob("events.out.tfevents.*"))
    assert [event.parent for event in events] == [folder]
    board = EventAccumulator(str(folder)).Reload()
    tags = board.Tags()
    # in the order of TensorBoard's groups of cards: what people look for comes first
    assert sorted({tag.split("/")[0] for tag in tags["scalars"]}) == ["train", "val", "val_best", "watch"]
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2, 3, 4]
    assert [event.step for event in board.Scalars("val/bits_per_character")] == [2, 4]
    assert {"config/text_summary", "sample/text_summary"} <= set(tags["tensors"])
    content = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["model"].string_value == "rnn"
    assert hparams["model.width"].number_value == 16
    assert "_hparams_/session_end_info" in board.summary_metadata
    # runs are chosen there: by what the weights that were kept reach on validation, never by test
    content = board.summary_metadata["_hparams_/experiment"].plugin_data.content
    columns = [info.name.tag for info in HParamsPluginData.FromString(content).experiment.metric_infos]
    assert columns == ["val_best/bits_per_character", "val_best/loss"]
    result = json.loads((folder / "result.json").read_text())
    (shown,) = board.Scalars("val_best/bits_per_character")
    assert shown.value == pytest.approx(result["validation"]["bits_per_character"])


def test_without_a_terminal_progress_is_plain_lines_on_stderr(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, out, err = in_process(capsys, monkeypatch, "train", *TINY)
    assert "rnn on char_lm" in err
    assert "validation bits_per_character" in err
    assert "\x1b" not in err + out
    assert "test bits_per_character" in out
    assert f"seqlab train model={MODELS[(MODELS.index('rnn') + 1) % len(MODELS)]} " in out
    assert "seqlab board runs" in out


def test_a_dry_run_trains_nothing(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = json.loads(in_process(capsys, monkeypatch, "train", *TINY, "--dry-run", "--json")[1])
    assert plan["parameters"] == sum(plan["parameters_by_part"].values())
    assert not list(tmp_path.iterdir())


def test_a_run_loads_and_another_starts_from_it(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    import torch

    from seqlab import load

    monkeypatch.chdir(tmp_path)

    def trained(*words: str) -> tuple[int, str, str]:
        return in_process(capsys, monkeypatch, "train", *words)

    assert trained(*TINY, "--name", "a")[0] == 0
    folder = tmp_path / "runs" / "char_lm" / "rnn" / "a"
    loaded = load(folder)
    network, task = loaded.network, loaded.task
    assert not network.training
    for name in ("last", "a", "best:char_lm"):
        assert torch.equal(next(load(name).network.parameters()), next(network.parameters()))
    stored = json.loads((folder / "result.json").read_text())
    meter = task.meter("test")

    with torch.no_grad():
        state = None
        for batch in task.batches("test", 0):
            output = network(batch, network.initial_state(batch.size) if state is None else state)
            state = output.state
            meter.update(batch, output, network)
    assert meter.compute()["loss"].value == pytest.approx(stored["test"]["loss"], rel=1e-5)
    for number, name in enumerate(("runs/char_lm/rnn/a", "a", "rnn/a", "last")):
        words = [*TINY, f"init_from={name}", "optim.learning_rate=1e-9", "--json", "--folder", f"other/{number}"]
        _, again, _ = trained(*words)
        assert json.loads(again)["test"]["loss"] == pytest.approx(stored["test"]["loss"], rel=1e-4)
        # tomorrow another run may have that name
        assert "\ninit_from: runs/char_lm/rnn/a\n" in (tmp_path / "other" / str(number) / "config.yaml").read_text()
        written = (tmp_path / "other" / str(number) / "overrides.txt").read_text().splitlines()
        assert [line for line in written if "init_from" in line] == ["init_from=runs/char_lm/rnn/a"]
    (tmp_path / "other.txt").write_text("another alphabet\n" * 200)
    wider = [w.replace("model.width=16", "model.width=32") for w in TINY]
    for words, said in (
        ([*wider, "init_from=runs/char_lm/rnn/a"], "do not fit"),
        ([*TINY, "task.corpus=other.txt", "init_from=runs/char_lm/rnn/a"], "another vocabulary"),
        ([*TINY, "init_from=runs/nowhere"], "is not the folder of a run"),
        ([*TINY, "init_from=rnn/b"], "init_from=rnn/b: "),
    ):
        code, _, err = trained(*words)
        assert code == 4
        assert said in err


def test_starts_in_the_same_second_do_not_share_a_folder(tmp_path: Path) -> None:
    from seqlab.runs.folder import make_run_folder

    folders = [make_run_folder(tmp_path / "rnn", "20260101-120000-s0", None) for _ in range(20)]
    assert len(set(folders)) == 20


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    for words in (["--help"], ["config"], ["list"]):
        with subprocess.Popen(
            [sys.executable, "-m", "seqlab", *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == 0


@pytest.mark.parametrize("module", ["rich", "torch._C", "torch.nn.modules", "numpy._core.multiarray"])
def test_ctrl_c_during_an_import_prints_one_word(module: str, trained_runs: Path) -> None:
    words = [sys.executable, "-v", "-m", "seqlab", "evaluate", "best:char_lm"]
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        words, cwd=trained_runs, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=hearing
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said = []
        for line in process.stderr:  # -v names each module once it is there, in the middle of what imports it
            said.append(line)
            if line.startswith(f"import '{module}'"):
                process.send_signal(signal.SIGINT)
                break
        said += process.stderr.readlines()
        assert process.wait() == 130, "".join(said[-20:])
        assert process.stdout.read() == ""
    assert said[-1] == "stopped\n"
    assert not [line for line in said if "Traceback" in line]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_the_run_and_names_the_kept_step(tmp_path: Path, number: signal.Signals, code: int) -> None:
    words = [sys.executable, "-m", "seqlab", "train", *TINY[:-1], "device.threads=1", "--name", "a"]
    words = [w for w in words if not w.startswith("trainer.max_steps")] + ["trainer.max_steps=100000"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        log = tmp_path / "runs" / "char_lm" / "rnn" / "a" / "metrics.jsonl"
        while not (log.exists() and log.read_text().count("\n") > 3):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "stopped at step" in err
    assert "continue with: seqlab resume runs/char_lm/rnn/a" in err
    assert "Traceback" not in err
    assert out == ""
    assert list((log.parent / "checkpoints").glob("step-*/tensors.safetensors"))
    assert "stopped at step" in (log.parent / "train.log").read_text()


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (["train", "-m", "model=lstm,gru"], 2, ["train makes one run", "seqlab sweep model=lstm,gru"]),
        (["train", "--jobs", "3"], 2, ["no such option --jobs", "compare rnn lstm --jobs 2"]),
        (["train", "--learning-rate", "3"], 2, ["settings are written without dashes: optim.learning_rate=VALUE"]),
        (["compare", "rnn", "--seedz", "3"], 2, ["no such option --seedz", "did you mean --seeds?"]),
        (["compare", "model=rnn,lstm"], 2, ["try: seqlab compare rnn lstm"]),
        (["compare", "rnn,lstm"], 2, ["try: seqlab compare rnn lstm"]),
        (["train", "trainer.clip_nrom=1.0"], 2, ["there is no setting 'trainer.clip_nrom'", "did you mean"]),
        (["train", "model=lsmt"], 2, ["there is no model called 'lsmt'", "model=lstm"]),
        (["train", "model=lstm", "model=gru"], 2, ["model is given 2 times"]),
        (["config", "lstm"], 2, ["did you mean model=lstm?"]),
        (["train", "task.corpus=/nowhere/x.txt"], 3, ["there is no such file"]),
        (["train", "device=cuda"], 2, ["device=cuda", "try device=cpu"]),
        (["train", "device.precision=fp16", "device=cpu"], 2, ["needs a GPU", "bf16"]),
        (["train", "--name", "../x"], 2, ["a name begins with a letter or digit", "try --name x"]),
        (["train", "--name", "last"], 2, ["--name last: this word is reserved", "try --name last-run"]),
        (["train", "--name", "gradient"], 2, ["--name gradient: this word is the name of a view"]),
        (["train", "runs_dir=/proc/nowhere"], 6, ["cannot make a folder", "runs_dir="]),
        (["train", "trainer.bptt_steps=999"], 2, ["longer than any sequence of a batch", "task.window=999"]),
        (["train", "model=transformer", "model.context=9"], 2, ["model.context=9 is too short", "model.context=64"]),
        (["train", "--nope"], 2, ["no such option", "--nope"]),
        (["trian"], 2, ["trian"]),
        (["list", "modles"], 2, ["modles", "did you mean models?"]),
        (["train", "--config-dir", "/nowhere"], 2, ["is not a folder"]),
        (["train", "optim.schedule=cosine", "trainer.max_steps=null", "trainer.max_epochs=1"], 2, ["horizon_steps"]),
    ],
)
def test_mistakes_end_in_three_lines_and_their_exit_code(
    words: list[str],
    code: int,
    parts: list[str],
    capsys: Capture,
    monkeypatch: Patch,
    tmp_path: Path,
) -> None:
    import torch

    if "device=cuda" in words and torch.cuda.is_available():
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    ended, out, err = in_process(capsys, monkeypatch, *words)
    assert ended == code
    assert out == ""
    assert len(err.strip().splitlines()) <= 3
    assert err.startswith("error: ")
    for part in parts:
        assert part.lower() in err.lower()
    assert not list(tmp_path.iterdir())  # a mistake leaves no half-made run behind


def test_without_arguments_help_is_shown(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch)
    assert code == 2
    assert "train" in out
    assert "error" not in out + err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("train", "model=lsmt", "--debug", cwd=tmp_path)
    assert "Traceback" in done.stderr
    assert "explain_composition" in done.stderr


def test_config_prints_what_train_would_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    code, out, _ = in_process(capsys, monkeypatch, "config", "model=gru", "model.width=64")
    content = yaml.safe_load(out)
    assert code == 0
    assert content["model"]["width"] == 64
    assert content["names"]["model"] == "gru"


def test_config_prints_one_value(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, _ = in_process(capsys, monkeypatch, "config", "model=gru", "model.width=64", "model.width", "model")
    assert (code, out) == (0, "64\ngru\n")
    assert in_process(capsys, monkeypatch, "config", "trainer.max_epochs")[1] == "null\n"
    code, out, err = in_process(capsys, monkeypatch, "config", "optim.lr")
    assert (code, out) == (2, "")
    assert "did you mean optim.learning_rate?" in err


def test_config_prints_the_settings_of_a_group(capsys: Capture, monkeypatch: Patch) -> None:
    import yaml

    whole = yaml.safe_load(in_process(capsys, monkeypatch, "config", "model=gru")[1])
    for key, group in (("trainer", "trainer"), ("trainer.", "trainer"), ("model.", "model"), ("optim.", "optim")):
        code, out, _ = in_process(capsys, monkeypatch, "config", "model=gru", key)
        assert code == 0
        assert yaml.safe_load(out) == whole[group]
        assert list(yaml.safe_load(out)) == list(whole[group])
    assert in_process(capsys, monkeypatch, "config", "traner")[2].splitlines()[1].endswith("did you mean trainer?")
    assert "did you mean model.width?" in in_process(capsys, monkeypatch, "config", "model.widht")[2]


def test_list_names_everything(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, _ = in_process(capsys, monkeypatch, "list", "--json")
    found = json.loads(out)
    assert code == 0
    for kind, group in (("models", "model"), ("tasks", "task"), ("experiments", "experiment"), ("devices", "device")):
        assert list(found[kind]) == list(group_files(group, None))
    assert set(found["corpora"]) >= {"python_docs", "movie_reviews", "cldr", "PATH"}
    assert all(about for entries in found.values() for about in entries.values())


def test_names_given_by_users_are_neither_markup_nor_control_characters(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = (("good", "[/pos]"), ("bad", "n\x1b[31m"))
    rows = [f"a {word} film {number},{label}" for number in range(30) for word, label in kinds]
    Path("[x].csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    words = [w for w in tiny_overrides("rnn", "sentiment") if not w.startswith("task.corpus=")]
    words += ["task.corpus=[x].csv", "runs_dir=r[/b]"]
    code, out, err = in_process(capsys, monkeypatch, "train", *words, "--name", "a")
    assert code == 0, err
    run = Path("r[/b]") / "sentiment" / "rnn" / "a"
    assert shlex.join(["seqlab", "inspect", str(run)]) in out
    assert shlex.quote("task.corpus=[x].csv") in out
    for more_words in (["train", *words, "--dry-run"], ["evaluate", str(run)], ["runs", "show", str(run)]):
        code, more, err = in_process(capsys, monkeypatch, *more_words)
        assert code == 0, err
        out += more
    assert "[/pos]" in out
    assert "\x1b" not in out


def test_a_tilde_is_expanded_in_every_path_and_nowhere_else(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    words = tiny_overrides("rnn", "char_lm", "trainer.max_steps=1")
    code, _, err = in_process(capsys, monkeypatch, "train", *words, "--folder", "~/mine", "--quiet")
    assert code == 0, err
    assert (home / "mine" / "result.json").is_file()
    assert in_process(capsys, monkeypatch, "evaluate", "~/mine")[0] == 0
    assert str(home / "mine") in in_process(capsys, monkeypatch, "runs", "--runs-dir", "~/", "--json")[1]
    assert not Path("~").exists()
    rest = [word for word in words if not word.startswith("task.corpus=")]
    for name in ("~$text.txt", "~nobody.txt"):
        code, _, err = in_process(capsys, monkeypatch, "train", *rest, f"task.corpus={name}", "--dry-run")
        assert code == 3, err
        assert f"task.corpus={name}" in err
    fixture = Path(__file__).parent.parent / "fixtures" / "corpus.txt"
    Path("~$text.txt").write_bytes(fixture.read_bytes())
    code, _, err = in_process(capsys, monkeypatch, "train", *rest, "task.corpus=~$text.txt", "--dry-run")
    assert code == 0, err
