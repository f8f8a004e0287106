"""`seqlab evaluate --corpus` with folders of recordings and of pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqlab.core.batch import SPLITS
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process
from tests.conftest import tiny_config
from tests.recordings import labelled_folder, tone, transcribed_folder, write_wav

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "corpora" / "speech"
Evaluate = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def evaluate(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> Evaluate:
    """Trains a task once on a folder that is gone afterwards; evaluates it on another, or on its own test split."""
    runs: dict[tuple[str, ...], Path] = {}

    def evaluated(task: str, folder: Path, corpus: Path | None, *overrides: str) -> tuple[int, dict[str, Any], str]:
        if (made := (task, str(folder))) not in runs:
            config = tiny_config(
                "gru", task, f"task.corpus={folder}", "device=cpu", f"runs_dir={tmp_path / 'runs'}", *overrides
            )
            runs[made] = train(config, checked=True).folder
            capsys.readouterr()
        other = () if corpus is None else ("--corpus", str(corpus))
        code, out, err = in_process(capsys, monkeypatch, "evaluate", str(runs[made]), *other, "--json")
        return code, json.loads(out) if code == 0 else {}, err

    return evaluated


def _pictures(folder: Path, count: int = 20, *, splits: bool = True) -> Path:
    """Grey pictures, each with its shade as its caption."""
    folder.mkdir()
    rows = ["file,caption" + ",split" * splits]
    for number in range(count):
        Image.fromarray(np.full((8, 8), 10 * number, dtype=np.uint8)).save(folder / f"{number}.png")
        split = SPLITS[max(0, number - count + 3)]
        rows.append(f"{number}.png,shade {number % 5}" + f",{split}" * splits)
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def _with_splits(folder: Path, count: int = 20) -> Path:
    """The folder of transcripts with the last two rows for test, and two for validation."""
    lines = (transcribed_folder(folder, count=count) / "transcripts.csv").read_text().splitlines()
    splits = ["split", *["train"] * (count - 4), *["validation"] * 2, *["test"] * 2]
    rows = [f"{line},{split}" for line, split in zip(lines, splits, strict=True)]
    (folder / "transcripts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("task", ["speech", "transcription", "captioning"])
def test_a_folder_with_a_test_split_gives_the_figures_of_the_test_split(
    task: str, evaluate: Evaluate, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    if task == "speech":
        shutil.copytree(ARCHIVE, own)
    elif task == "transcription":
        _with_splits(own)
    else:
        _pictures(own)
    settings = ("task.image_size=8", "task.patch=4") if task == "captioning" else ()
    code, split, err = evaluate(task, own, None, *settings)
    assert code == 0, err
    copy = own.rename(tmp_path / "elsewhere")
    code, found, err = evaluate(task, own, copy)
    assert code == 0, err
    same = ("values", "interval", "details", "item_count", "unknown", "primary", "metrics", "step")
    assert {key: found[key] for key in same} == {key: split[key] for key in same}
    assert found["corpus"] == str(copy)


def test_a_folder_without_splits_is_taken_whole(evaluate: Evaluate, tmp_path: Path) -> None:
    code, found, err = evaluate("speech", labelled_folder(tmp_path / "own"), labelled_folder(tmp_path / "new", each=3))
    assert (code, found.get("item_count")) == (0, 6), err
    code, found, err = evaluate(
        "transcription", _with_splits(tmp_path / "said"), transcribed_folder(tmp_path / "b", count=5)
    )
    assert (code, found.get("item_count"), found.get("unknown")) == (0, 5, {"characters": {"count": 0, "of": 20}}), err
    settings = ("task.image_size=8", "task.patch=4")
    new = _pictures(tmp_path / "shades", 7, splits=False)
    code, found, err = evaluate("captioning", _pictures(tmp_path / "pictures"), new, *settings)
    assert (code, found.get("item_count")) == (0, 7), err
    for task, folder, corpus, said in (
        ("captioning", tmp_path / "pictures", tmp_path / "own", "has no captions.csv"),
        ("speech", tmp_path / "own", tmp_path / "nowhere", "--corpus="),
        ("speech", tmp_path / "own", ARCHIVE, "has series of numbers, and the run reads recordings"),
    ):
        code, _, err = evaluate(task, folder, corpus)
        assert (code, said in err, len(err.splitlines()) <= 3) == (3, True, True), err
    write_wav(tmp_path / "new" / "middle" / "0.wav", tone(800.0))
    code, _, err = evaluate("speech", tmp_path / "own", tmp_path / "new")
    assert (code, "1 label not seen in training: 'middle' (1)" in err) == (3, True), err
    shutil.rmtree(tmp_path / "new" / "middle")
    write_wav(tmp_path / "new" / "low" / "slow.wav", tone(400.0, rate=4000), rate=4000)
    code, _, err = evaluate("speech", tmp_path / "own", tmp_path / "new")
    assert (code, "4,000 samples a second, and the network reads frequencies up to 4,000 Hz" in err) == (3, True), err
    (tmp_path / "b" / "transcripts.csv").write_text("file,text\n0.wav," + "ab" * 50 + "\n")
    code, _, err = evaluate("transcription", tmp_path / "said", tmp_path / "b")
    assert (code, "too short for their transcripts" in err) == (3, True), err
