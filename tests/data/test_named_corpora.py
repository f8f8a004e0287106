"""Corpora by name: one file each, published splits as they are, and the same name for every task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seqlab.config.compose import read_composed
from seqlab.config.run import load_run_config, read_run_config
from seqlab.core.batch import Split
from seqlab.core.other_corpus import with_test_corpus
from seqlab.data.corpora import corpora
from seqlab.data.corpus import EmbeddedCorpus
from tests.conftest import CORPUS_TASKS, tiny_config, tiny_overrides

_FILE = """
from seqlab.data.corpus import EmbeddedCorpus

CORPUS = EmbeddedCorpus(
    name="weather", tasks={"char_lm": lambda paths: {"train": paths[0].read_text() * 200}}, about="what it does",
    licence="CC0", citation="nobody (2026)", source="https://example.org", package="json", file="tool.py",
)
"""  # the file of a package that is surely there
_ROWS = [(f"a {('fine', 'dull')[n % 2]} film of {n} scenes", ("good", "poor")[n % 2]) for n in range(200)]
_PARTS: dict[Split, list[tuple[str, str]]] = {"train": _ROWS[:120], "validation": _ROWS[120:160], "test": _ROWS[160:]}


def test_a_new_corpus_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "weather.py").write_text(_FILE)
    script = f"""
import seqlab.data.corpora
seqlab.data.corpora.__path__.append({str(tmp_path)!r})
from seqlab.data.corpora import corpora_of
from seqlab.config.run import load_run_config
assert "weather" in corpora_of("char_lm")
print(load_run_config(["task=char_lm", "task.corpus=weather"]).task.build().describe()["train characters"])
import sys
from seqlab.cli import main
sys.argv = ["seqlab", "list", "corpora"]
main()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "char_lm: what it does" in done.stdout


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus `films`, whose three splits are published."""
    lines: dict[Split, str] = {split: "\n".join(text for text, _ in rows) for split, rows in _PARTS.items()}
    corpus = EmbeddedCorpus(
        name="films", about="films", licence="CC0", citation="nobody", source="nowhere", package="json",
        file="tool.py", tasks={
            "char_lm": lambda _: lines, "sentiment": lambda _: _PARTS,
            "translation": lambda _paths, target, _count, _seed: {
                split: [(text, f"{target} {label} {text}") for text, label in rows] for split, rows in _PARTS.items()
            },
        },
    )  # fmt: skip
    monkeypatch.setitem(corpora(), "films", corpus)


def _text_of(task: Any, split: Split) -> str:
    """All that a split holds, in a fixed order."""
    for holder in ("texts", "pairs", "rows"):
        if split in (held := getattr(task, holder, {})):
            return held[split] if isinstance(held[split], str) else "\n".join(sorted(map(str, held[split])))
    raise AssertionError(task)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", CORPUS_TASKS)
def test_published_splits_are_used_as_they_are(name: str) -> None:
    config = tiny_config("gru", name, "task.corpus=films").task
    task = config.build()
    for split, rows in _PARTS.items():
        text = _text_of(task, split)
        assert all(row[0] in text for row in rows)
        assert sum(row[0] in text for row in _ROWS) == len(rows)
    assert not any("corpus" in fact and fact != "corpus" for fact in task.describe())
    again = with_test_corpus(task, "films", "--corpus", config)
    assert _text_of(again, "test") == _text_of(task, "test")
    other = tiny_config("gru", name, "task.corpus=films", "task.test_corpus=films").task.build()
    assert other.data_sha256 == task.data_sha256


def test_a_setting_that_had_another_name_keeps_its_value(tmp_path: Path) -> None:
    """Data of one's own had the setting `folder`, which was null for the corpus of the task."""
    for task, corpus in (("speech", "japanese_vowels"), ("captioning", "digits"), ("transcription", "touch_tones")):
        stored = load_run_config(tiny_overrides("gru", task, "task.corpus=X")).yaml
        for then, now in (("null", corpus), ("my/own", "my/own")):
            path = tmp_path / "config.yaml"
            path.write_text(stored.replace("corpus: X\n", f"folder: {then}\n"))
            assert read_composed(path).tree["task"]["corpus"] == now
            assert read_run_config(path).task.corpus == now  # type: ignore[attr-defined]
