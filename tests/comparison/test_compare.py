"""The whole command, with real processes: its files, interruptions, and resuming."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import LockedError
from seqlab.runs.lock import locked
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import TEXT, on_corpus, tiny_overrides

WORDS = [
    word
    for word in tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device.threads=1")
    if not word.startswith("model=")
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """One comparison for all tests that only read it: (its folder, the output of --json, stderr)."""
    cwd = tmp_path_factory.mktemp("compare")
    done = run("compare", "rnn", "wide: rnn model.width=24", *WORDS, "--seeds", "2", "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return cwd / said["folder"], said, done.stderr


def test_every_run_is_an_ordinary_run_and_every_file_exists(made: tuple[Path, dict[str, Any], str]) -> None:
    folder, said, _ = made
    names = {path.name for path in folder.iterdir()}
    curves = {f"curves-by-{axis}.{kind}" for axis in ("step", "token", "second", "flop") for kind in ("png", "svg")}
    assert names >= {"summary.json", "summary.csv", "report.html", "plan.json", "baselines.json", *curves}
    for label in ("rnn", "wide"):
        for seed in (0, 1):
            there = {path.name for path in (folder / label / f"seed-{seed}").iterdir()}
            assert there >= {"config.yaml", "result.json", "metrics.jsonl", "samples.txt", "checkpoints"}
    stored = json.loads((folder / "summary.json").read_text())
    assert stored == {key: value for key, value in said.items() if key != "folder"}
    rows = list(csv.DictReader((folder / "summary.csv").read_text().splitlines()))
    assert sorted((row["label"], row["seed"]) for row in rows) == [
        ("rnn", "0"), ("rnn", "1"), ("wide", "0"), ("wide", "1"),
    ]  # fmt: skip


def test_the_commands_in_the_report_are_those_that_made_the_runs(made: tuple[Path, dict[str, Any], str]) -> None:
    folder, _, _ = made
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    stored = [path.read_text(encoding="utf-8").splitlines() for path in folder.rglob("overrides.txt")]
    assert len(stored) == 4
    for overrides in stored:
        assert shlex.join(["seqlab", "train", *overrides]) in page


def test_figures_are_those_of_the_runs(made: tuple[Path, dict[str, Any], str]) -> None:
    folder, said, _ = made
    by_label = {row["label"]: row for row in said["rows"]}
    for label, row in by_label.items():
        results = [json.loads((folder / label / f"seed-{s}" / "result.json").read_text()) for s in (0, 1)]
        values = [result["test"]["bits_per_character"] for result in results]
        assert row["mean"] == pytest.approx(sum(values) / 2)
        assert row["test"] == {"0": values[0], "1": values[1]}
        assert row["parameters"]["all"] == results[0]["parameters"]
        low, high = row["interval"]
        assert low < row["mean"] < high
    (pair,) = said["pairs"]
    gaps = [by_label[pair["second"]]["test"][s] - by_label[pair["first"]]["test"][s] for s in "01"]
    assert pair["mean"] == pytest.approx(sum(gaps) / 2)
    assert {base["name"] for base in said["baselines"]} >= {"xz"}


def test_runs_differ_only_in_the_requested_settings(made: tuple[Path, dict[str, Any], str]) -> None:
    folder, _, _ = made
    configs = {(x, s): (folder / x / f"seed-{s}" / "config.yaml").read_text() for x in ("rnn", "wide") for s in (0, 1)}
    for seed in (0, 1):
        assert f"\nseed: {seed}\n" in configs["rnn", seed]
        assert configs["wide", seed].replace("width: 24", "width: 16") == configs["rnn", seed]


@pytest.mark.slow
def test_a_second_start_repeats_nothing_and_more_seeds_add_only_theirs(
    made: tuple[Path, dict[str, Any], str], capsys: Capture, monkeypatch: Patch
) -> None:
    folder, said, _ = made
    monkeypatch.chdir(folder.parents[2])
    results = {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")}
    words = ["compare", "rnn", "wide: rnn model.width=24", *WORDS]
    code, out, err = in_process(capsys, monkeypatch, *words, "--seeds", "3", "--json")
    assert code == 0, err
    assert "measuring" not in err
    more = json.loads(out)
    rows = {row["label"]: row for row in more["rows"]}
    for before in said["rows"]:
        assert before["test"].items() < rows[before["label"]]["test"].items()
        assert len(rows[before["label"]]["test"]) == 3
    assert {path: path.stat().st_mtime_ns for path in results} == results
    assert any("seeds were added after a report on 2 had been written" in note for note in more["notes"])
    # nobody chooses among seeds by what they came to: with fewer, those that are complete stay
    fewer = json.loads(in_process(capsys, monkeypatch, *words, "--seeds", "1", "--json")[1])
    assert fewer["pairs"] == more["pairs"]


@pytest.mark.slow
def test_existing_runs_are_compared_without_training(
    made: tuple[Path, dict[str, Any], str], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    folder, said, _ = made
    monkeypatch.chdir(tmp_path)
    runs = [str(folder / label / f"seed-{seed}") for label in ("rnn", "wide") for seed in (0, 1)]
    code, out, err = in_process(capsys, monkeypatch, "compare", *runs, f"runs_dir={tmp_path}", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert sorted(row["mean"] for row in found["rows"]) == sorted(row["mean"] for row in said["rows"])
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["rnn/seed-0", "--budget", "9steps"], 2, "these runs exist already: --budget has no effect"),
        (["rnn/seed-0", "trainer.clip_norm=1"], 2, "trainer.clip_norm=1 has no effect"),
        (["rnn/seed-0", "wide/other-text"], 3, "was not trained on the same text"),
        (["rnn", "nowhere"], 4, "is not the folder of a run"),
        (["rnn/seed-0", "rnn/seed-0"], 2, "runs of one config with one seed"),
    ],
)
def test_mistakes_about_existing_runs(
    made: tuple[Path, dict[str, Any], str],
    words: list[str],
    code: int,
    part: str,
    capsys: Capture,
    monkeypatch: Patch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    other = made[0] / "wide" / "other-text"
    if str(other).endswith(words[-1]):
        shutil.copytree(made[0] / "wide" / "seed-0", other, dirs_exist_ok=True)
        facts = json.loads((other / "environment.json").read_text()) | {"data_sha256": "0" * 64}
        (other / "environment.json").write_text(json.dumps(facts))
    given = [str(made[0] / word) if "/" in word or word in ("rnn", "nowhere") else word for word in words]
    ended, out, err = in_process(capsys, monkeypatch, "compare", *given)
    assert (ended, out) == (code, "")
    assert part in err
    assert len(err.strip().splitlines()) <= 3
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_terminal_tables_fit_into_eighty_columns(
    made: tuple[Path, dict[str, Any], str], capsys: Capture, monkeypatch: Patch
) -> None:
    folder, _, _ = made
    monkeypatch.chdir(folder.parents[2])
    for width in ("80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        words = ["compare", "rnn", "wide: rnn model.width=24", *WORDS, "--seeds", "2"]
        code, out, err = in_process(capsys, monkeypatch, *words)
        assert code == 0, err
        tables = [line for line in out.splitlines() if not line.startswith(("report:", "curves:"))]
        assert max(map(len, tables)) <= int(width)
        assert "…" not in out
        assert "wide and rnn" in out or "rnn and wide" in out or "is better than" in out
        for heading in ("bits/char", "95 % over seeds", "tok/s", "FLOP/tok", "gen/s"):
            assert heading in out


def test_tensorboard_overlays_the_runs_and_knows_the_final_metric(made: tuple[Path, dict[str, Any], str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    folder, _, _ = made
    board = EventAccumulator(str(folder)).Reload()
    layout = Layout.FromString(board.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    tags = [list(chart.multiline.tag) for chart in layout.category[0].chart]
    assert ["val/bits_per_character$"] in tags
    one = EventAccumulator(str(folder / "rnn" / "seed-0")).Reload()
    for (pattern,) in tags:  # each chart one quantity
        assert len([tag for tag in one.Tags()["scalars"] if re.match(pattern, tag)]) == 1
    content = one.summary_metadata["_hparams_/experiment"].plugin_data.content
    metrics = [info.name.tag for info in HParamsPluginData.FromString(content).experiment.metric_infos]
    assert "val_best/bits_per_character" in metrics
    assert "val_best/bits_per_character" in one.Tags()["scalars"]


@pytest.mark.slow
def test_one_failed_run_does_not_lose_the_others(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = "bad: rnn optim.learning_rate=1e38 optim.warmup_steps=0 trainer.clip_norm=null trainer.nonfinite_limit=1"
    words = ["compare", "rnn", bad, *WORDS, "trainer.max_steps=30", "--seeds", "1"]
    words.remove("trainer.max_steps=4")
    code, out, err = in_process(capsys, monkeypatch, *words)
    assert code == 1, err
    assert "failed: bad, seed 0: the loss or the gradient was not finite once at step 2" in out
    assert "the same command repeats them" in err
    (summary,) = tmp_path.rglob("summary.json")
    rows = {row["label"]: row for row in json.loads(summary.read_text())["rows"]}
    assert rows["rnn"]["mean"] is not None
    assert rows["bad"]["mean"] is None
    assert "not finite" in rows["bad"]["failed"]["0"]
    assert "failed" in (summary.parent / "report.html").read_text()


@pytest.mark.slow
def test_a_base_seed_works_with_an_existing_run(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["train", "model=rnn", *WORDS, "seed=7", "--folder", "mine/one", "--json"],
        ["compare", "mine/one", "rnn", *WORDS, "seed=7", "--seeds", "2", "--json"],
    ):
        code, out, err = in_process(capsys, monkeypatch, *words)
        assert code == 0, err
    found = json.loads(out)
    assert {row["label"]: set(row["test"]) for row in found["rows"]} == {"rnn": {"7", "8"}, "rnn one": {"7"}}
    # the same settings and the same seed: the same run, bit for bit
    tests = {row["label"]: row["test"] for row in found["rows"]}
    assert tests["rnn"]["7"] == tests["rnn one"]["7"] != tests["rnn"]["8"]
    (pair,) = found["pairs"]
    assert sorted(pair["seeds"]) == [1, 2]
    assert not pair["significant"]  # one seed never makes a winner


@pytest.mark.slow
def test_changed_settings_are_noticed(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "rnn", *WORDS, "--seeds", "1", "--name", "mine"]
    assert in_process(capsys, monkeypatch, *words)[0] == 0
    folder = tmp_path / "runs" / "compare" / "mine"
    code, _, err = in_process(capsys, monkeypatch, *words, "trainer.clip_norm=0.5")
    assert code == 2
    assert "holds another comparison" in err
    overrides = folder / "rnn" / "seed-0" / "overrides.txt"
    overrides.write_text(overrides.read_text().replace("model.width=16", "model.width=17"))
    code, _, err = in_process(capsys, monkeypatch, *words)
    assert code == 4
    assert "was made with other settings" in err
    overrides.write_text(overrides.read_text().replace("model.width=17", "model.width=16"))
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | {"data_sha256": "0" * 64}))
    code, _, err = in_process(capsys, monkeypatch, *words[:-4], "--seeds", "2", "--name", "mine")
    assert code == 3
    assert "no longer the one" in err
    assert not (folder / "rnn" / "seed-1").exists()
    (folder / "plan.json").unlink()
    code, _, err = in_process(capsys, monkeypatch, *words)
    assert code == 4
    assert "plan.json is missing" in err


def test_only_one_process_holds_the_lock_and_a_second_leaves_it_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with locked(folder):
        with pytest.raises(LockedError, match=f"locked by process {os.getpid()}"), locked(folder):
            pass
        assert (folder / ".lock").exists()
        with pytest.raises(LockedError), locked(folder):
            pass
    assert not folder.exists()  # nothing came of it
    with locked(folder):
        (folder / "plan.json").touch()
    with locked(folder):
        pass


def _start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "seqlab", "compare", *words],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip


def _wait_for(process: subprocess.Popen[str], cwd: Path, pattern: str, lines: int) -> Path:
    """Until a file has that many lines."""
    for _ in range(2400):
        assert process.poll() is None, process.communicate()
        for path in cwd.glob(pattern):
            if path.read_text().count("\n") >= lines:
                return path
        time.sleep(0.05)
    raise AssertionError(pattern)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_comparison_makes_only_the_missing_runs(
    tmp_path: Path, number: signal.Signals, code: int, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "rnn",
        *(w for w in WORDS if not w.startswith("trainer.max_steps")),
        "trainer.max_steps=400",
        "--seeds",
        "2",
    ]
    with _start(tmp_path, *words) as process:
        _wait_for(process, tmp_path, "runs/compare/*/rnn/seed-0/metrics.jsonl", 1)
        refused, _, told = in_process(capsys, monkeypatch, "compare", *words)  # while it runs
        _wait_for(process, tmp_path, "runs/compare/*/rnn/seed-1/metrics.jsonl", 20)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert refused == 7
    assert f"locked by process {process.pid}" in told
    assert process.returncode == code, err
    assert "stopped with 1 of 2 runs made" in err
    assert "the same command makes the missing runs" in err
    assert "Traceback" not in err + told
    assert out == ""
    (first,) = tmp_path.glob("runs/compare/*/rnn/seed-0/result.json")
    before = first.stat().st_mtime_ns
    assert not (first.parents[1] / "seed-1" / "result.json").exists()
    assert "stopped at step" in (first.parents[1] / "seed-1" / "train.log").read_text()
    again, out, err = in_process(capsys, monkeypatch, "compare", *words, "--json")
    assert again == 0, err
    assert len(json.loads(out)["rows"][0]["test"]) == 2
    assert first.stat().st_mtime_ns == before
    # what was stopped half-way went on from there, and logged no step twice
    stopped = first.parents[1] / "seed-1"
    assert json.loads((stopped / "environment.json").read_text())["resumed"][0]["step"] > 0
    steps = [
        json.loads(line)["step"] for line in (stopped / "metrics.jsonl").read_text().splitlines() if "train/" in line
    ]
    assert steps == list(range(1, 401))


@pytest.mark.slow
def test_a_killed_comparison_leaves_no_lock_and_continues(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["rnn", *WORDS, "--seeds", "2"]
    with _start(tmp_path, *words) as process:
        _wait_for(process, tmp_path, "runs/compare/*/rnn/seed-0/result.json", 1)
        process.kill()
        process.communicate()
    for _ in range(100):  # a run that was under way ends by itself, and holds the lock until then
        code, out, err = in_process(capsys, monkeypatch, "compare", *words, "--json")
        if code != 7:
            break
        time.sleep(0.5)
    assert code == 0, err
    assert len(json.loads(out)["rows"][0]["test"]) == 2


@pytest.mark.slow
def test_tuning_chooses_on_validation_with_seeds_of_its_own(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "rnn", *WORDS, "--tune", "lr=1e-6,0.01", "--json"]
    code, out, err = in_process(capsys, monkeypatch, *words, "--seeds", "1")
    assert code == 0, err
    found = json.loads(out)
    tried = found["tuned"]["rnn"]
    assert set(tried) == {"1e-06", "0.01"}
    assert tried["0.01"] < tried["1e-06"]  # bits a character
    (config,) = tmp_path.glob("runs/compare/*/rnn/seed-0/config.yaml")
    assert "learning_rate: 0.01" in config.read_text()
    # chosen once: a second start neither searches again nor chooses otherwise, whatever has become of the trials
    shutil.rmtree(config.parents[2] / "tune" / "rnn" / "learning_rate=1e-06")
    code, out, err = in_process(capsys, monkeypatch, *words, "--seeds", "2")
    assert code == 0, err
    assert json.loads(out)["tuned"] == found["tuned"]
    assert not list(tmp_path.rglob("learning_rate=1e-06"))
    seeds = {json.loads(path.read_text())["seed"] for path in tmp_path.rglob("tune/**/result.json")}
    assert not seeds & {0, 1, 2}


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = in_process(capsys, monkeypatch, "compare", "rnn", "gru", *WORDS, "--dry-run")
    assert code == 0, err
    assert "about" in out
    assert not list(tmp_path.iterdir())
