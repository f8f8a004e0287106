"""docs/examples/curves: a task of one's own whose input is no text is one short file and one YAML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqlab.config.run import load_run_config
from seqlab.core.baseline import baselines_of
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "curves"
CONF = EXAMPLE / "conf"
SMALL = (
    "task=curves",
    "device=cpu",
    "model.width=32",
    "model.layers=1",
    "model.dropout=0",
    "trainer.log_pictures=false",
)
TINY = (*SMALL, "task.curves=60", "trainer.max_steps=4", "trainer.eval_every_steps=2")
FAMILIES = {
    "gru": ("model.attention=dot", "optim.learning_rate=0.01"),
    "transformer": ("model.heads=2", "model.feed_forward=64", "optim.learning_rate=0.005"),
}


def test_it_is_130_lines_at_most() -> None:
    (module,) = EXAMPLE.glob("*.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 130
    assert [path.name for path in CONF.rglob("*.yaml")] == ["curves.yaml"]


@pytest.mark.parametrize("model", FAMILIES)
def test_sentences_are_better_than_the_most_frequent_one(model: str, tmp_path: Path) -> None:
    words = [
        f"model={model}",
        *SMALL,
        *FAMILIES[model],
        "task.curves=1000",
        "trainer.max_steps=250",
        f"runs_dir={tmp_path}",
    ]
    config = load_run_config(words, CONF)
    (commonest,) = baselines_of(config.task.build())
    result = train(config)
    assert result.test_interval[0] > commonest.metrics["exact_match"].value
    assert result.test["bleu"] > commonest.metrics["bleu"].value


def test_every_command_works_or_says_what_the_task_lacks(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> tuple[int, str, str]:
        return in_process(capsys, monkeypatch, *words, "--config-dir", str(CONF))

    assert command("train", "model=gru", *FAMILIES["gru"], *TINY, "--folder", "run")[0] == 0
    assert command("resume", "run", "trainer.max_steps=6")[0] == 0
    code, out, _ = command("predict", "run", "17", "--beam", "2", "--json")
    assert (code, json.loads(out)["text"]) == (0, "17")
    assert set(json.loads(out)["sentence"].split()) <= {*"stays level rises falls slowly fast then".split()}
    code, _, err = command("predict", "run", "a cat")
    assert (code, err.splitlines()[0]) == (3, "error: 'a cat' is not the number of a curve")
    code, out, _ = command("evaluate", "run", "--json")
    assert code == 0
    assert {"exact_match", "bleu"} <= json.loads(out)["values"].keys()
    assert [json.loads(line)["item"] for line in Path(json.loads(out)["items"]).read_text().splitlines()] == [*range(6)]
    code, _, err = command("evaluate", "run", "--corpus", "x")
    assert (code, "Curves can be evaluated on its own corpus only" in err) == (2, True)
    code, out, _ = command("inspect", "run", "--json")
    found = json.loads(out)
    assert code == 0
    assert {"states", "attention-decoder", "embedding-embed_target"} <= found["pictures"].keys()
    assert "is no language model" in found["left_out"]["memory"]
    code, out, err = command("check", "model=transformer", *FAMILIES["transformer"], *TINY)
    assert (code, out.splitlines()[-1].endswith("passed")) == (0, True), out + err
    code, _, err = command("train", "model=gru", *TINY, "trainer.bptt_steps=2")
    assert (code, "cannot be cut along time" in err) == (2, True)


@pytest.mark.slow
def test_it_can_be_compared(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("compare", "gru", "rnn", *TINY, "--seeds", "2", "--name", "c", "--config-dir", str(CONF))
    code, out, err = in_process(capsys, monkeypatch, *words)
    assert code == 0, err
    assert "commonest sentence" in out
