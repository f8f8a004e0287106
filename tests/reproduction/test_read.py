"""The files of configs/reproduction, and what is said about a wrong one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from seqlab.config.overrides import key_of, merged
from seqlab.config.run import load_run_config
from seqlab.errors import ConfigError
from seqlab.reproduction.read import read_reproduction, reproductions, requested
from tests.commands import Capture, Patch, in_process

NAMES = tuple(reproductions(None))
TINY = """\
title: A tiny reproduction
citation: Nobody 2000
link: https://example.org
published:
  - {of: A, value: 2.9, unit: nats/char, measured: the loss, where: Table 1, ours: rnn, rule: at_most}
measure: {metric: loss, split: validation, unit: nats/char}
compare: [rnn, "wide: rnn model.width=24", task.window=12]
seeds: 2
minutes: 1
machine: 2 cores
"""


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_figure_has_its_source_and_every_model_a_config(name: str) -> None:
    told = read_reproduction(name, None)
    request = requested(told, (), told.seeds, None)
    assert told.citation
    assert re.search(r"\d{4}", told.citation), "the year"
    for figure in told.published:
        assert len(figure.measured) > 10
        assert figure.where
    for spec in request.models:
        config = load_run_config([f"model={spec.model}", *merged(request.overrides, spec.overrides)])
        assert config.trainer.max_steps is not None


@pytest.mark.slow
def test_every_shipped_figure_is_a_metric_of_its_task_and_its_rule_points_the_right_way(trained_runs: Path) -> None:
    for name in NAMES:
        told = read_reproduction(name, None)
        given = {key_of(word): word.partition("=")[2] for word in told.compare}
        (run,) = (trained_runs / "runs" / given.get("task", "char_lm")).glob("*/a")
        kinds = json.loads((run / "result.json").read_text(encoding="utf-8"))["metrics"]
        assert told.measure.metric in kinds, name
        kind = kinds[told.measure.metric]
        assert kind["unit"] in ("", told.measure.unit), name
        good = "at_least" if kind["higher_is_better"] else "at_most"
        assert {figure.rule for figure in told.published} <= {good, "within"}, name


def test_names_are_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reproductions.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"<!-- table: reproduce-{name}.json -->" in page, name


def _own(folder: Path, text: str) -> Path:
    (folder / "reproduction").mkdir()
    (folder / "reproduction" / "mine.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_file_in_the_users_folder_is_found(tmp_path: Path) -> None:
    told = read_reproduction("mine", _own(tmp_path, TINY))
    assert told.published[0].ours == "rnn"
    assert told.needs.corpora == ()
    request = requested(told, ("task.window=6",), 1, tmp_path)
    assert request.overrides == ("task.window=6",)  # the command line's in place of the file's
    assert [spec.label for spec in request.models] == ["rnn", "wide"]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("seeds: 2", "seeds: 0", ["mine.yaml: seeds=0", "greater than 0"]),
        ("seeds: 2\n", "", ["mine.yaml: seeds has no value", "seeds: VALUE"]),
        ("seeds: 2", "seedz: 2", ["no setting 'seedz'", "did you mean seeds"]),
        ("rule: at_most", "rule: at_mots", ["published[0].rule=at_mots", "did you mean published[0].rule=at_most"]),
        ("value: 2.9", "valu: 2.9", ["there is no setting 'published[0].valu'", "published[0].value"]),
        ("value: 2.9", "value: about 3", ["published[0].value=about 3", "valid number", "correct it in"]),
        ("ours: rnn", "ours: rnnn", ["published[0].ours=rnnn is none of the models", "did you mean rnn?"]),
        ("unit: nats/char, measured", "unit: percent, measured", ["published[0].unit=percent", "converted"]),
        ("split: validation, unit", "split: dev, unit", ["measure.split=dev", "validation, test"]),
        ("link: https://example.org", "link: somewhere", ["link=somewhere is no address"]),
        ("rnn, \"wide", "rnnn, \"wide", ["there is no model called 'rnnn'", "did you mean rnn?"]),
        ("measure: {", "measure: [{", ["cannot be read", "correct the file"]),
        ("published:\n", "published: none\nothers:\n", ["published=none is not a list"]),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_key_value_rule_and_remedy(
    old: str, new: str, parts: list[str], tmp_path: Path
) -> None:
    assert old in TINY
    with pytest.raises(ConfigError) as error:
        read_reproduction("mine", _own(tmp_path, TINY.replace(old, new)))
    assert error.value.what.startswith("mine.yaml: ")
    assert len(error.value.lines()) <= 3
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (["shakespeare_nanogpt"], 2, ["no reproduction called 'shakespeare_nanogpt'", "did you mean"]),
        ([], 2, ["nothing to reproduce", "--list"]),
        (["--list", "text8"], 2, ["leave one of them out"]),
        (["japanese_vowels", "trainer.max_step=3"], 2, ["did you mean trainer.max_steps=3"]),  # before a download
        (["recall_zoology"], 6, ["needs a GPU", "seqlab reproduce recall_zoology device=cpu"]),
        (["japanese_vowels", "--dry-run"], 3, ["the corpus japanese_vowels", "seqlab data fetch japanese_vowels"]),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(
    words: list[str], code: int, parts: list[str], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    import torch

    if code == 6 and torch.cuda.is_available():
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_DATA_DIR", str(tmp_path / "cache"))
    ended, out, err = in_process(capsys, monkeypatch, "reproduce", *words)
    assert (ended, out) == (code, "")
    for part in parts:
        assert part in err
    assert not list(tmp_path.iterdir())


def test_the_list_names_each_with_its_figures(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "reproduce", "--list")
    assert (code, err) == (0, "")
    assert "shakespeare_nanogpt_cpu" in out
    assert "published: 1.88 nats/char" in out
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith(" "))
    for name in NAMES:
        assert name in out
