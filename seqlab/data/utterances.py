"""Utterances and what they are to be taken for: a label, or a transcript. T frames, F features."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seqlab.core.batch import Split
from seqlab.data.audio import ENDINGS, Recording, read_recording
from seqlab.data.batching import split_items
from seqlab.data.tables import read_table
from seqlab.data.ts import read_ts
from seqlab.errors import DataError, first_places

TRANSCRIPTS = "transcripts.csv"
_SPLITS: Mapping[str, Split] = {
    "train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test",
}  # fmt: skip
_SHARES = (0.8, 0.1, 0.1)
_ARCHIVE = (0.85, 0.15, 0.0)  # of what an archive has for training, since its test split is given
_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Utterance:
    """name: for people. text: its label or transcript. frames_TF: its features, not standardised. sha256: of what they
    were computed from."""

    name: str
    text: str
    frames_TF: Tensor
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """Utterances by split. rates: how many recordings have which sample rate; none for other series. unread: files that
    are no recordings; repeats: recordings left out because they are equal to others."""

    parts: dict[Split, list[Utterance]]
    rates: Mapping[int, int]
    unread: int = 0
    repeats: int = 0


Reading = tuple[str, str, str, Recording]
"""(name, text, the split that it is for or "", the recording)."""


FORM = "a folder of recordings"


def check_folder(path: Path, key: str) -> None:
    """Raise DataError if the path that the setting `key` gives is no folder."""
    if not path.is_dir():
        raise DataError(f"{key}={str(path)[:200]} is not a folder", f"give the path of {FORM}")


def archive_of(folder: Path, key: str) -> tuple[Path, Path] | None:
    """The training and the test file of a folder of the UEA archive: NAME_TRAIN.ts and NAME_TEST.ts; None if it has no
    such files. Raises DataError if it has more than one of either."""
    train, test = (sorted(folder.glob(f"*_{part}.ts")) for part in ("TRAIN", "TEST"))
    if not train or not test:
        return None
    if len(train) + len(test) > 2:
        names = ", ".join(path.name for path in (*train, *test))
        raise DataError(f"{key}={folder} has several data sets", "give each a folder of its own", names[:200])
    return train[0], test[0]


def read_archive(train: Path, test: Path, key: str, seed: int) -> Corpus:
    """The series of two .ts files: the test split as published, validation from the training part, stratified."""
    rows: dict[str, list[Utterance]] = {}
    for part, path in (("train", train), ("test", test)):
        rows[part] = [
            Utterance(f"{part} {number}", label, torch.from_numpy(frames_TF), hashlib.sha256(line.encode()).hexdigest())
            for number, (frames_TF, label, line) in enumerate(read_ts(path, key), 1)
        ]
    widths = {utterance.frames_TF.shape[1] for part in rows.values() for utterance in part}
    if len(widths) > 1:
        raise DataError(f"{train.name} and {test.name} have series of {sorted(widths)} features", "they must be alike")
    parts = {**stratified(rows["train"], _ARCHIVE, seed), "test": rows["test"]}
    if not parts["validation"]:
        raise DataError(f"{train.name} has too few series to keep some for validation", "give at least ten of a label")
    return Corpus(parts, {})


def labelled(folder: Path, key: str, most_seconds: float) -> tuple[list[Reading], int]:
    """(the recordings of a folder, labelled by its sub-folders; the number of other files there)."""
    what = f"{key}={folder}"
    loose = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _hidden(path, folder)]
    found = [path for path in files if path.suffix.lower() in ENDINGS]
    if loose:
        raise DataError(
            f"{what} has {len(loose)} recordings outside its sub-folders: {_first(loose)}",
            "move each into a sub-folder with the name of its label"
            + f"; for transcripts ({TRANSCRIPTS}): task=transcription" * (folder / TRANSCRIPTS).exists(),
        )
    if not found:
        kinds = sorted({path.suffix.lower() or path.name for path in files})
        raise DataError(
            f"{what} has no recordings ({len(files)} other files{': ' * bool(kinds)}{', '.join(kinds)[:100]})",
            "give a folder with a sub-folder of recordings for each label, or with NAME_TRAIN.ts and NAME_TEST.ts",
            f"recordings: {', '.join(ENDINGS)}",
        )
    names = [path.relative_to(folder) for path in found]
    readings: list[Reading] = [
        (str(name), name.parts[0], "", read_recording(path, key, most_seconds))
        for name, path in zip(names, found, strict=True)
    ]
    return readings, len(files) - len(found)


def transcribed(folder: Path, key: str, most_seconds: float) -> list[Reading]:
    """The recordings that the table transcripts.csv of a folder names: columns file, text and, optionally, split."""
    path = folder / TRANSCRIPTS
    if not path.is_file():
        raise DataError(f"{key}={folder} has no {TRANSCRIPTS}", "write one, with the columns file and text"
                        " (and split, if you like)")  # fmt: skip
    table = read_table(path, key, separator=None, header=True, fixed=True, wanted=("file", "text"))
    header = [name.strip().lower() for name in table.header or ()]
    if missing := [name for name in ("file", "text") if name not in header]:
        raise DataError(
            f"{table.setting} has no column {' and no column '.join(missing)}",
            "name the columns in its first line: file,text or file,text,split", f"columns: {', '.join(header)[:200]}",
        )  # fmt: skip
    cell = {name: header.index(name) for name in ("file", "text", "split") if name in header}
    rows = [(line, {name: row[at].strip() for name, at in cell.items()}) for line, row in table.rows]
    _refuse(table.setting, "without a transcript", [line for line, row in rows if not row["text"]], "remove these rows")
    _refuse(
        table.setting, "whose file is not in the folder",
        [line for line, row in rows if not row["file"] or not (folder / row["file"]).is_file()],
        "files are named as seen from the folder of the table",
    )  # fmt: skip
    seen: set[str] = set()
    again = [line for line, row in rows if row["file"] in seen or seen.add(row["file"])]  # type: ignore[func-returns-value]
    _refuse(table.setting, "with a file of an earlier row", again, "give each recording one row")
    strange = [line for line, row in rows if row.get("split", "") and row["split"].lower() not in _SPLITS]
    _refuse(table.setting, "with another split than train, validation or test", strange, "or leave the cell empty")
    return [
        (row["file"], " ".join(row["text"].split()), row.get("split", "").lower(),
         read_recording(folder / row["file"], f"{TRANSCRIPTS}, line {line}", most_seconds))
        for line, row in rows
    ]  # fmt: skip


def corpus_of(
    readings: Iterable[Reading], features: Callable[[Recording], Tensor], seed: int, by_label: bool, unread: int = 0
) -> Corpus:
    """Recordings as utterances. Those with a split are in it; the others are divided 80/10/10, stratified by label if
    they have labels. Of equal recordings only the first is kept, so that none is in two splits."""
    given: dict[Split, list[Utterance]] = {"train": [], "validation": [], "test": []}
    free, rates, repeats = list[Utterance](), defaultdict[int, int](int), 0
    for digest, (name, text, split, recording), again in _digested(readings):
        if again:
            repeats += 1
            continue
        rates[recording.rate] += 1
        (given[_SPLITS[split]] if split else free).append(Utterance(name, text, features(recording), digest))
    cut = stratified(free, _SHARES, seed) if by_label else split_items(free, _SHARES, seed)
    parts = {split: [*given[split], *cut[split]] for split in given}
    for split, part in parts.items():
        if not part:
            raise DataError(
                f"task.corpus: {sum(rates.values())} recordings leave none for the {split} split",
                "give at least ten recordings of each label" if by_label else "give at least ten recordings",
            )
    return Corpus(parts, dict(sorted(rates.items())), unread, repeats)


def for_test(
    found: Corpus | list[Reading], read: Callable[[Recording, str], Tensor] | None, features: int, what: str
) -> list[Utterance]:
    """The utterances of a corpus' test split, or all of recordings that have none, each once. read: makes the features
    of a recording, which is given a name for messages; None if series are expected. Raises DataError, which names the
    corpus by `what`, if it has anything else."""
    if isinstance(found, Corpus) and read is None:
        utterances = found.parts["test"]
    elif not isinstance(found, Corpus) and read is not None:
        every = [(one, digest) for digest, one, again in _digested(found) if not again]
        chosen = [pair for pair in every if _SPLITS.get(pair[0][2]) == "test"] or every
        utterances = [
            Utterance(name, text, read(recording, f"{what}: {name}"), digest)
            for (name, text, _, recording), digest in chosen
        ]
    else:
        theirs, ours = ("recordings", "series of numbers")[:: -1 if read else 1]
        raise DataError(f"{what} has {theirs}, and the run reads {ours}", f"give a corpus of {ours}")
    if not utterances:
        raise DataError(f"{what} has nothing to evaluate on", "give one utterance or more")
    if (width := utterances[0].frames_TF.shape[1]) != features:
        raise DataError(f"{what} has series of {width} features, and the run reads {features}", "they must be alike")
    return utterances


def _digested(readings: Iterable[Reading]) -> Iterator[tuple[str, Reading, bool]]:
    """(the digest of a recording, its reading, whether an earlier one is equal)."""
    seen: set[str] = set()
    for reading in readings:
        recording = reading[3]
        digest = hashlib.sha256(recording.rate.to_bytes(4, "big") + recording.sample_N.tobytes()).hexdigest()
        yield digest, reading, digest in seen
        seen.add(digest)


def stratified(
    utterances: Sequence[Utterance], shares: tuple[float, float, float], seed: int
) -> dict[Split, list[Utterance]]:
    """Splits with these shares of each label's utterances."""
    by_label: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_label[utterance.text].append(utterance)
    cut = [split_items(by_label[label], shares, seed) for label in sorted(by_label)]
    return {split: [one for parts in cut for one in parts[split]] for split in ("train", "validation", "test")}


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


def _refuse(what: str, why: str, lines: Sequence[int], remedy: str) -> None:
    if lines:
        raise DataError(f"{what}: {len(lines):,} rows {why} ({first_places('line', lines)})", remedy)
