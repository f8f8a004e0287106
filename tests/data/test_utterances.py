"""A user's own recordings: folders of labels, transcripts, archives, and what is wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.config.run import load_run_config
from seqlab.core.batch import SPLITS
from seqlab.data.utterances import Utterance, read_archive
from seqlab.errors import DataError
from seqlab.kinds.utterances import Utterances
from tests.recordings import labelled_folder, tone, transcribed_folder, write_wav

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "corpora" / "speech"


def _built(task: str, folder: Path, *overrides: str) -> Utterances[Any]:
    made = load_run_config([f"task={task}", f"task.corpus={folder}", *overrides]).task.build()
    assert isinstance(made, Utterances)
    return made


def _names(parts: list[Utterance]) -> set[str]:
    return {one.name for one in parts}


def test_labels_are_the_names_of_sub_folders(tmp_path: Path) -> None:
    task = _built("speech", labelled_folder(tmp_path, each=20))
    assert list(task.vocabulary()) == ["high", "low"]
    for split, count in zip(SPLITS, (16, 2, 2), strict=True):
        texts = [one.text for one in task.parts[split]]
        assert [texts.count(label) for label in ("high", "low")] == [count, count]
        assert all(one.name == f"{one.text}/{Path(one.name).name}" for one in task.parts[split])
    assert task.describe()["samples a second"] == "8,000 (40)"


def test_the_split_depends_on_its_seed_alone(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path, each=20)
    first, again, other = (_built("speech", folder, f"task.split_seed={seed}", "seed=1") for seed in (0, 0, 1))
    assert _names(first.parts["test"]) == _names(again.parts["test"])
    assert first.data_sha256 == again.data_sha256
    assert _names(first.parts["test"]) != _names(other.parts["test"])
    assert first.heldout_sha256() != other.heldout_sha256()


def test_equal_recordings_are_kept_once(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path)
    shutil.copy(folder / "low" / "3.wav", folder / "high" / "copy.wav")
    (folder / "high" / "notes.txt").write_text("recorded in the kitchen")
    (folder / ".DS_Store").write_text("")
    task = _built("speech", folder)
    assert task.describe()["recordings left out, equal to others"] == 1
    assert task.describe()["other files"] == 1
    digests = [one.sha256 for part in task.parts.values() for one in part]
    assert len(digests) == len(set(digests)) == 24


def test_recordings_of_several_sample_rates_share_the_bands_of_the_lowest(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path)
    write_wav(folder / "low" / "studio.wav", tone(400, rate=44_100), rate=44_100)
    task = _built("speech", folder)
    assert task.mel is not None
    assert task.mel.highest_hz == 4000
    assert any("2 sample rates" in warning and "4,000 Hz" in warning for warning in task.warnings())


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / "low")
    shutil.rmtree(folder / "high")


def _loose(folder: Path) -> None:
    (folder / "low" / "1.wav").rename(folder / "1.wav")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_empty, "has no recordings"),
        (_loose, r"1 recordings outside its sub-folders: 1\.wav"),
        (lambda folder: shutil.rmtree(folder / "low"), "only one label, 'high'"),
        (lambda folder: (folder / "low" / "1.wav").write_bytes(b"RIFF"), r"low/1\.wav is no WAV file"),
        (lambda folder: shutil.copytree(ARCHIVE, folder / "more") and None, None),
    ],
)
def test_what_is_wrong_with_a_folder_of_labels_is_said(
    spoil: Callable[[Path], object], reason: str | None, tmp_path: Path
) -> None:
    folder = labelled_folder(tmp_path / "own")
    spoil(folder)
    if reason is None:
        assert _built("speech", folder).describe()["other files"] == 2
        return
    with pytest.raises(DataError, match=reason):
        _built("speech", folder)


def test_few_recordings_leave_no_split_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave none for the validation split"):
        _built("speech", labelled_folder(tmp_path, each=2))


def test_transcripts_are_read_with_their_splits(tmp_path: Path) -> None:
    folder = transcribed_folder(tmp_path)
    table = (folder / "transcripts.csv").read_text().splitlines()
    splits = ["train"] * 12 + ["dev"] * 4 + ["test"] * 4
    rows = [f"{row},{split}" for row, split in zip(table[1:], splits, strict=True)]
    (folder / "transcripts.csv").write_text("\n".join([f"{table[0]},split", *rows]))
    task = _built("transcription", folder)
    assert _names(task.parts["validation"]) == {f"{number}.wav" for number in range(12, 16)}
    assert _names(task.parts["test"]) == {f"{number}.wav" for number in range(16, 20)}
    assert {one.name: one.text for part in task.parts.values() for one in part} == dict(
        row.split(",") for row in table[1:]
    )


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("file,text", "name,words", "has no column file and no column text"),
        ("3.wav,", "33.wav,", r"1 rows whose file is not in the folder \(line 5\)"),
        ("\n3.wav,", "\n2.wav,", r"1 rows with a file of an earlier row \(line 5\)"),
        ("1.wav,", "1.wav, \n4.wav,", r"1 rows without a transcript \(line 3\)"),
    ],
)
def test_what_is_wrong_with_transcripts_is_said_with_its_line(
    before: str, after: str, reason: str, tmp_path: Path
) -> None:
    folder = transcribed_folder(tmp_path)
    table = folder / "transcripts.csv"
    table.write_text(table.read_text().replace(before, after, 1))
    with pytest.raises(DataError, match=reason):
        _built("transcription", folder)


def test_a_strange_split_and_a_folder_without_a_table(tmp_path: Path) -> None:
    folder = transcribed_folder(tmp_path)
    table = (folder / "transcripts.csv").read_text().splitlines()
    rows = [f"{row},{'exam' if at == 2 else 'train'}" for at, row in enumerate(table[1:])]
    (folder / "transcripts.csv").write_text("\n".join([f"{table[0]},split", *rows]))
    with pytest.raises(DataError, match=r"another split than train, validation or test \(line 4\)"):
        _built("transcription", folder)
    (folder / "transcripts.csv").unlink()
    with pytest.raises(DataError, match=r"has no transcripts\.csv\nwrite one"):
        _built("transcription", folder)
    with pytest.raises(DataError, match="is not a folder"):
        _built("transcription", folder / "0.wav")


def test_an_archive_keeps_its_test_split_and_gives_some_of_each_label_to_validation() -> None:
    train, test = ARCHIVE / "Tones_TRAIN.ts", ARCHIVE / "Tones_TEST.ts"
    corpus = read_archive(train, test, "task.corpus", seed=0)
    assert [one.name for one in corpus.parts["test"]] == [f"test {number}" for number in range(1, 13)]
    assert len(corpus.parts["train"]) + len(corpus.parts["validation"]) == 30
    assert not _names(corpus.parts["train"]) & _names(corpus.parts["validation"])
    assert {one.text for one in corpus.parts["validation"]} == {"low", "mid", "high"}
    first = corpus.parts["test"][0]
    line = test.read_text().split("@data\n")[1].splitlines()[0]
    assert first.text == line.split(":")[-1]
    assert first.frames_TF[:, 1].tolist() == pytest.approx([float(value) for value in line.split(":")[1].split(",")])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("@data", "@dat", "no line @data"),
        ("@classLabel true", "@classLabel false", "no labels"),
        (":low", "", "TRAIN.ts, line 10"),
        (",", ",?,", "line 10 holds what is no number"),
        (",", ",nan,", "line 10.*(different lengths|not finite)"),
        (",", ",1.0,", "line 10: its features have different lengths"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said_with_its_line(
    before: str, after: str, reason: str, tmp_path: Path
) -> None:
    shutil.copytree(ARCHIVE, tmp_path / "own")
    path = tmp_path / "own" / "Tones_TRAIN.ts"
    head, _, data = path.read_text().partition("@data")
    whole = head.replace(before, after) + "@data".replace(before, after) + data.replace(before, after, 1)
    path.write_text(whole if before in "@classLabel true @data" else head + "@data" + data.replace(before, after, 1))
    with pytest.raises(DataError, match=reason):
        read_archive(path, tmp_path / "own" / "Tones_TEST.ts", "task.corpus", seed=0)
