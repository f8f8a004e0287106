"""seqlab from Python: what `import seqlab` offers, from a notebook's point of view."""

from __future__ import annotations

import doctest
import json
import math
import re
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

import seqlab
from seqlab.core.metric import Metric
from seqlab.errors import CheckpointError, ConfigError, Interrupted
from seqlab.runs.reporter import Reporter
from seqlab.runs.result import stored_result
from seqlab.training.config import TrainerConfig
from seqlab.training.progress import Observer, Progress
from tests.commands import Capture, Patch, in_process
from tests.conftest import MODELS, TASKS, tiny_overrides

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(autouse=True)
def here(corpus: Path, monkeypatch: Patch) -> None:
    """A folder with corpus.txt, to work in."""
    monkeypatch.chdir(corpus.parent)


def tiny(model: str = "rnn", *overrides: str) -> list[str]:
    return tiny_overrides(model, "char_lm", "device=cpu", "task.corpus=corpus.txt", *overrides)


def test_importing_it_brings_no_torch(tmp_path: Path) -> None:
    code = "import sys, seqlab; sys.exit([m for m in ('torch', 'hydra', 'pydantic', 'rich') if m in sys.modules] != [])"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("module", ["seqlab"])
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    found = [test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]
    assert found
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in sorted(found, key=lambda test: test.lineno or 0):  # one after the other, as they are read
        test.globs = names
        runner.run(test, clear_globs=False)
    assert runner.summarize().failed == 0


@pytest.mark.parametrize("task", TASKS)
def test_a_loaded_run_equals_the_trained_one(task: str, trained_runs: Path) -> None:
    folder = trained_runs / f"runs/{task}/gru/a"
    run = seqlab.load(folder)
    assert run.finished
    assert run.result.as_json() == json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert run.result.sample + "\n" == (folder / "samples.txt").read_text(encoding="utf-8")
    assert len(run.result.item_values) > 0
    assert {name: metric.value for name, metric in run.result.metrics.items()} == run.result.test
    evaluated = run.evaluate()
    assert {name: pytest.approx(value, rel=1e-5) for name, value in run.result.test.items()} == {
        name: metric.value for name, metric in evaluated.metrics.items()
    }
    assert not run.network.training
    assert run.step == run.result.best_step


def test_loading_reads_neither_weights_nor_corpus() -> None:
    folder = seqlab.train(*tiny()).folder
    Path("corpus.txt").unlink()
    for path in (folder / "checkpoints").rglob("*.safetensors"):
        path.write_bytes(b"")
    run = seqlab.load(folder)
    assert run.result.steps == 4
    assert run.metrics["step"]
    assert list(run.task.vocabulary())
    with pytest.raises(CheckpointError):
        _ = run.network


def test_metrics_are_plain_columns_of_one_length() -> None:
    run = seqlab.train(*tiny())
    table = run.metrics
    assert table["step"] == [1, 2, 3, 4]
    assert {len(column) for column in table.values()} == {4}
    assert all(type(value) in (int, float) for column in table.values() for value in column)
    assert [math.isnan(value) for value in table["val/loss"]] == [True, False, True, False]
    assert not any(name.startswith("test/") for name in table)  # it is for the figures at the end alone
    steps, losses = run.curve("val/loss")
    assert steps == [2, 4]
    assert min(losses) == pytest.approx(run.result.validation["loss"])
    with pytest.raises(ConfigError, match=r"there is no curve 'val/los'\ndid you mean val/loss\?"):
        run.curve("val/los")


def test_a_damaged_log_is_reported() -> None:
    run = seqlab.train(*tiny())
    for content in ("[]\n", "{}\n", '{"step": 1}\n{"st', '{"step": []}\n', '{"step": 1, "train/loss": "x"}\n'):
        (run.folder / "metrics.jsonl").write_text(content, encoding="utf-8")
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl cannot be read"):
            _ = run.metrics
    for content in ('{"primary": "loss", "validation": 3, "test": {}, "metrics": {}, "seconds": 0}', "{}", "7"):
        (run.folder / "result.json").write_text(content, encoding="utf-8")
        with pytest.raises(CheckpointError, match="result"):
            stored_result(run.folder)


def test_settings_are_strings_or_mappings() -> None:
    as_mapping = dict(word.split("=") for word in tiny())
    mixed: tuple[str | Mapping[str, object], ...] = (
        {"model": "rnn", "trainer.clip_value": None, "seed": 0, "optim.betas": (0.9, 0.98)},
        *tiny()[1:],
    )
    made: tuple[tuple[str | Mapping[str, object], ...], ...] = (tuple(tiny()), (as_mapping,), mixed)
    for number, given in enumerate(made):
        run = seqlab.train(*given, name=f"run{number}")
        assert run.config.names["model"] == "rnn"
        assert run.result.steps == 4
    assert "model=rnn" in (run.folder / "overrides.txt").read_text().splitlines()
    for wrong in (["model=rnn"], {"model": {"layers": 1}}, 3, None):
        with pytest.raises(seqlab.SeqlabError, match="is not an override"):
            seqlab.train(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"did you mean model=lstm\?"):
        seqlab.train({"model": "lstn"})


def test_a_traceback_also_shows_the_remedy() -> None:
    with pytest.raises(ConfigError) as error:
        seqlab.train("optim.lerning_rate=1")
    assert "did you mean optim.learning_rate" in str(error.value)
    assert [f"error: {error.value.what}", *str(error.value).split("\n")[1:]] == error.value.lines()


def test_it_prints_nothing_unless_verbose(capsys: Capture) -> None:
    run = seqlab.train(*tiny(), name="silent")
    run.resume("trainer.max_steps=6")
    run.predict("the ")
    run.evaluate()
    assert capsys.readouterr() == ("", "")
    seqlab.train(*tiny(), name="loud", verbose=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    assert "rnn on char_lm" in out
    assert [line for line in out.splitlines() if line.startswith("step 4: validation bits_per_character ")]


def test_a_run_is_resumed_to_what_one_command_would_have_made() -> None:
    short = seqlab.train(*tiny("rnn", "optim.horizon_steps=6"), name="short")
    whole = seqlab.train(*tiny("rnn", "optim.horizon_steps=6", "trainer.max_steps=6"), name="whole")
    longer = short.resume({"trainer.max_steps": 6})
    assert longer.result.steps == 6
    assert longer.result.test == whole.result.test
    for mine, theirs in zip(longer.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    again = longer.resume()
    assert again.result.as_json() == longer.result.as_json()
    back = longer.resume(checkpoint="step-00000004")
    assert back.result.test == longer.result.test


def test_predict_takes_the_options_of_the_command_line(capsys: Capture, monkeypatch: Patch) -> None:
    run = seqlab.train(*tiny(), name="a")
    said = run.predict("the ", length=12, temperature=0.5, seed=3)
    words = ("predict", "a", "the ", "--length", "12", "--temperature", "0.5", "--seed", "3", "--json")
    assert json.loads(in_process(capsys, monkeypatch, *words)[1])["continuation"] == said.details["continuation"]
    assert str(said) == said.text
    assert len(said.text) == 12
    with pytest.raises(ConfigError, match="beam has no effect on char_lm"):
        run.predict("the ", beam=4)


def test_evaluate_takes_other_splits_and_corpora() -> None:
    run = seqlab.train(*tiny())
    assert run.evaluate(split="validation").metrics["loss"].value == pytest.approx(run.result.validation["loss"])
    Path("other.txt").write_text("the lazy dog. " * 40, encoding="utf-8")
    assert run.evaluate(corpus=Path("other.txt")).corpus == "other.txt"
    with pytest.raises(ConfigError, match="is taken whole"):
        run.evaluate(corpus="other.txt", split="test")


def test_inspect_gives_figures_that_a_notebook_shows() -> None:
    run, other = seqlab.train(*tiny("gru"), name="a"), seqlab.train(*tiny("lstm"), name="b")
    before = sorted(run.folder.rglob("*"))
    pictures = run.inspect("states", text="the quick fox")
    assert [type(figure) for figure in pictures.figures] == [Figure] * len(pictures)
    assert pictures.figures[0].axes
    html = pictures._repr_html_()
    assert html.count("<svg") == len(pictures)
    assert pictures[0].title in html
    (gradient,) = run.inspect("gradient", beside=[other])
    assert [curve["label"] for curve in gradient.data["runs"]] == ["gru", "lstm"]
    assert gradient._repr_png_().startswith(b"\x89PNG")
    assert sorted(run.folder.rglob("*")) == before
    with pytest.raises(ConfigError, match=r"there is no view 'stats'\ndid you mean states\?"):
        run.inspect("stats")


class Impatient(Reporter):
    """Presses Ctrl-C at the third step."""

    @contextmanager
    def training(self, limits: TrainerConfig) -> Iterator[tuple[Observer, ...]]:
        yield (self,)

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """Not needed."""

    def saving(self, progress: Progress) -> None:
        """Not needed."""


def test_ctrl_c_saves_the_run_and_leaves_the_program_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"stopped at step 3\nkept step 3; continue with: seqlab resume .*a"):
        seqlab.train(*tiny("rnn", "trainer.max_steps=8"), name="a", reporter=Impatient())
    assert signal.getsignal(signal.SIGINT) is before
    run = seqlab.load("a")
    assert not run.finished
    assert run.metrics["step"][-1] == 3
    with pytest.raises(CheckpointError, match="has no result yet"):
        _ = run.result
    whole = seqlab.train(*tiny("rnn", "trainer.max_steps=8"), name="b")
    assert run.resume().result.test == whole.result.test


def test_it_works_in_a_thread_where_no_signal_can_be_handled() -> None:
    found: list[seqlab.Run] = []
    thread = threading.Thread(target=lambda: found.append(seqlab.train(*tiny())))
    thread.start()
    thread.join()
    assert found[0].result.steps == 4


def test_the_environment_names_the_folder_of_ones_own_models(monkeypatch: Patch) -> None:
    Path("mine/model").mkdir(parents=True)
    shipped = (DOCS.parent / "configs/model/rnn.yaml").read_text(encoding="utf-8")
    Path("mine/model/own.yaml").write_text(shipped, encoding="utf-8")
    monkeypatch.setenv("SEQLAB_CONFIG_DIR", "mine")
    assert seqlab.train(*tiny()[1:], "model=own").config.names["model"] == "own"
    assert seqlab.load("last").config.config_dir == Path("mine")
    monkeypatch.setenv("SEQLAB_CONFIG_DIR", "yours")
    for call in (seqlab.train, partial(seqlab.load, "last"), partial(seqlab.compare, "rnn")):
        with pytest.raises(ConfigError, match="SEQLAB_CONFIG_DIR=yours is not a folder"):
            call()


def test_existing_runs_are_compared(capsys: Capture) -> None:
    runs = [seqlab.train(*tiny(model), name="a") for model in ("rnn", "gru")]
    done = seqlab.compare(*runs)
    assert capsys.readouterr() == ("", "")
    assert len(done.verdicts) == 1
    assert done.report.is_file()
    assert set(done.table["model"]) == {"rnn", "gru"}
    assert {len(column) for column in done.table.values()} == {2}


def _code(page: str) -> str:
    """The Python of a page of docs/, one block after the other."""
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )


@pytest.mark.slow  # it trains seven networks
def test_the_page_for_notebooks_runs_as_it_stands(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    exec(compile(_code("api.md"), "api.md", "exec"), {})
    out = capsys.readouterr().out
    assert "step 60: validation bits_per_character" in out
    assert "80 " in out
    assert "report: runs/compare/first/report.html" in out
    assert out.endswith(f"there is no model called 'lstn'\ndid you mean model=lstm?\nmodel: {', '.join(MODELS)}\n")
    assert Path("states.pdf").is_file()


@pytest.mark.slow
def test_the_page_for_notebooks_is_typed(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text(_code("api.md"), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", str(page)]  # with our own settings, whose cache holds most of it
    done = subprocess.run(command, capture_output=True, text=True, cwd=DOCS.parent)
    assert done.returncode == 0, done.stdout
    wrong = page.read_text(encoding="utf-8") + "\nlstm.result.test.accuracy\n"
    page.write_text(wrong, encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, cwd=DOCS.parent)
    assert 'has no attribute "accuracy"' in done.stdout


def test_the_reference_is_what_the_docstrings_say() -> None:
    written = runpy.run_path(str(DOCS / "reference.py"))["reference"]()
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == written, "python docs/reference.py"
    for name in seqlab.__all__:
        assert name == "__version__" or f"## seqlab.{name}\n" in written


def test_the_settings_are_what_the_files_and_their_classes_say() -> None:
    written = runpy.run_path(str(DOCS / "settings.py"))["page"]()
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == written, "python docs/settings.py"
    unexplained = re.findall(r"^\| `(.*?)` \|.*\|  \|$", written, re.MULTILINE)
    assert unexplained == []
