"""Preparing a text of any size: in three passes over its pieces it is measured, its vocabulary learned, and encoded by
several processes. What is done is kept, so that the same call goes on after a kill."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.core.files import read_json, write_bytes, write_json, write_text
from seqlab.data.pieces import PIECE, Piece, TextFile, digest_of, find_text, pieces_of
from seqlab.data.pool import Mapped, mapping
from seqlab.data.prepared import FILE, FORMAT, Prepared, PreparedBy, file_sha256, read_vocabulary
from seqlab.data.splits import cut_at
from seqlab.data.subwords import Subwords
from seqlab.data.token_ids import TextSize, character_counts, ids_of, most_frequent, subword_ids
from seqlab.data.tokens import DEFAULT_SIZE, FILES, subword_vocabulary, unit_of
from seqlab.data.vocabulary import UNKNOWN, Vocabulary
from seqlab.data.words import normalized
from seqlab.errors import ConfigError, DataError, ResourceError

Tell = Callable[[str], None]
VOCABULARY = "vocabulary.json"
_BEGUN, _PARTS = "preparing.json", "parts"


def prepare(
    where: str, folder: Path, by: PreparedBy, *, processes: int = 1, tell: Tell = lambda _: None, piece: int = PIECE
) -> Prepared:
    """Encode the text of a file into a folder, or finish what was begun there; let no two processes do so at once.
    tell: is told what is done. Raises DataError for a file that is no text, or that changes meanwhile, ConfigError for
    a folder with something else in it, ResourceError for one that cannot be written."""
    path = find_text(where)
    with _faults(path, folder):
        begun = {"source": str(path.resolve()), "settings": asdict(by), "piece": piece}
        kept = _kept_of(folder, begun)
        if not (folder / FILE).exists():
            _prepare(path, folder, by, processes, tell, {**begun, "data_sha256": kept})
        shutil.rmtree(folder / _PARTS, ignore_errors=True)
        (folder / _BEGUN).unlink(missing_ok=True)
    return Prepared.read(str(folder))


def _kept_of(folder: Path, begun: Mapping[str, Any]) -> str:
    """The digest of the text that is being prepared in a folder; "" if none is. Raises ConfigError for a folder with
    anything else in it."""
    note = folder / _BEGUN
    if note.exists():
        kept = read_json(note)
        if {**begun, "data_sha256": kept.get("data_sha256")} == kept:
            return str(kept["data_sha256"])
        what = f"{folder} has a preparation that was begun with other settings, or of another file"
    elif (folder / FILE).exists():
        what = f"{folder} has a prepared corpus already"
    elif not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir()):
        return ""
    else:
        raise ConfigError(f"{folder} has other files in it", "choose another folder: --out FOLDER")
    raise ConfigError(what, "remove it, or choose another folder: --out FOLDER")


def _prepare(path: Path, folder: Path, by: PreparedBy, processes: int, tell: Tell, begun: Mapping[str, Any]) -> None:
    """Do what has not been done."""
    _kept.cache_clear()
    tell("measuring the text")
    before = path.stat()
    file, jobs, digest = _measured(path, by, begun["piece"])
    if begun["data_sha256"] not in ("", digest):
        tell("the text has changed: starting anew")
        _forget(folder)
    (folder / _PARTS).mkdir(parents=True, exist_ok=True)
    write_json(folder / _BEGUN, {**begun, "data_sha256": digest})
    tell("learning the vocabulary")
    with mapping(processes) as mapped:
        vocabulary = _vocabulary(file, jobs["train"], by, folder, mapped)
        tell(f"encoding with {len(vocabulary):,} tokens")
        for split in SPLITS:
            mapped(partial(_encode, file, folder, by.tokens, split), [*enumerate(jobs[split])])
    tell("putting the parts together")
    facts: dict[str, Any] = {"format": FORMAT, "settings": asdict(by), "source": path.name, "data_sha256": digest}
    facts |= _assembled(folder, jobs, len(vocabulary))
    sizes = [facts["splits"][split]["size"]["bytes"] for split in HELD_OUT]
    held = (map(file.read, jobs[split]) for split in HELD_OUT)
    facts["heldout_sha256"] = digest_of(*zip(held, sizes, strict=True))
    if (path.stat().st_size, path.stat().st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        _forget(folder)
        raise DataError(f"{path} has changed while it was prepared", "prepare it again, or a copy of it")
    write_json(folder / FILE, facts)


def _forget(folder: Path) -> None:
    """Remove what was made of a text that is there no more."""
    shutil.rmtree(folder / _PARTS)
    for name in (FILES[0], VOCABULARY):
        (folder / name).unlink(missing_ok=True)


def _measured(path: Path, by: PreparedBy, size: int) -> tuple[TextFile, dict[Split, list[Piece]], str]:
    """(the file as it is read, the pieces of each split, the digest of the text)."""
    pieces, length, old_line_ends = pieces_of(path, size)
    file = TextFile(path, by.normalize, old_line_ends)
    sizes: list[int] = []
    blank = True

    def texts() -> Iterator[str]:
        nonlocal blank
        for piece in pieces:
            text = file.raw(piece)
            blank = blank and text.isspace()
            yield text
            sizes.append(len(normalized(text, by.normalize)))

    digest = digest_of((texts(), length))
    total = sum(sizes)
    if not total or blank:
        raise DataError(f"{path} is empty", "give a file with text in it")
    borders = cut_at(total, by.train_share, by.validation_share)
    jobs: dict[Split, list[Piece]] = {split: [] for split in SPLITS}
    for split, first, last in zip(SPLITS, (0, *borders), (*borders, total), strict=True):
        start = 0
        for piece, count in zip(pieces, sizes, strict=True):
            begin, end = max(first, start) - start, min(last, start + count) - start
            if begin < end:
                jobs[split].append(replace(piece, begin=begin, end=end))
            start += count
    jobs["test"] = jobs["test"] or jobs["validation"]
    return file, jobs, digest


def _vocabulary(file: TextFile, pieces: list[Piece], by: PreparedBy, folder: Path, mapped: Mapped) -> Vocabulary:
    """That of the training split, which is kept in the folder."""
    unit = unit_of(by.tokens)
    path = folder / (FILES[0] if unit == "subword" else VOCABULARY)
    if path.exists():
        return _kept(path)
    if unit == "subword":
        texts = map(file.read, pieces)
        made: Vocabulary = subword_vocabulary(by.tokens, texts, by.vocabulary_size or DEFAULT_SIZE)
        assert isinstance(made, Subwords)
        if not made.in_parts:
            what = f"task.tokens={by.tokens}: its tokens reach across words or depend on where a text begins"
            raise DataError(what, "use a byte-level tokenizer, such as GPT-2's: a long text is encoded in parts")
        write_text(path, made.text)
        return made
    if unit == "char":
        counts = np.zeros(0x110000, dtype=np.int64)
        for points, found in mapped(partial(_characters, file), pieces):
            counts[points] += found
        made = most_frequent(counts, by.vocabulary_size)
    else:
        words: Counter[str] = Counter()
        for part in mapped(partial(_words, file), pieces):
            words.update(part)
        made = Vocabulary.counted(words, size=by.vocabulary_size)
    write_json(path, made.tokens)
    return made


_kept = cache(read_vocabulary)  # once in each process, not for each piece


def _characters(file: TextFile, piece: Piece) -> tuple[Any, Any]:
    counts = character_counts(file.read(piece))
    (points,) = counts.nonzero()
    return points, counts[points]


def _words(file: TextFile, piece: Piece) -> Counter[str]:
    return Counter(file.read(piece).split())


def _encode(file: TextFile, folder: Path, tokens: str, split: Split, job: tuple[int, Piece]) -> None:
    """Write the ids of one piece, unless that has been done."""
    place, piece = job
    part, unit = folder / _PARTS / f"{split}-{place:06d}", unit_of(tokens)
    if part.with_suffix(".json").exists():
        return
    vocabulary = _kept(folder / (FILES[0] if unit == "subword" else VOCABULARY))
    text = file.read(piece)
    words = text.split() if unit == "word" else ()
    if isinstance(vocabulary, Subwords):
        ids = subword_ids(vocabulary, text)
    else:
        ids = ids_of(vocabulary, words if unit == "word" else text)
    write_bytes(part.with_suffix(".ids"), ids.ids_N.tobytes())
    unknown = int((ids.ids_N == UNKNOWN).sum())
    write_json(part.with_suffix(".json"), [len(ids), unknown, *asdict(TextSize.of(text, words)).values()])


def _assembled(folder: Path, jobs: Mapping[Split, list[Piece]], vocabulary: int) -> dict[str, Any]:
    """Put the parts of each split into one file; what is said about them."""
    splits, hashes = {}, {}
    for split in SPLITS:
        of: Split = "validation" if split == "test" and jobs["test"] is jobs["validation"] else split
        file, totals = folder / f"{of}.ids", np.zeros(6, dtype=np.int64)
        unfinished = file.with_suffix(".unfinished")
        with unfinished.open("wb") as whole:
            for place in range(len(jobs[of])):
                part = folder / _PARTS / f"{of}-{place:06d}"
                whole.write(part.with_suffix(".ids").read_bytes())
                totals += np.array(read_json(part.with_suffix(".json")))
        unfinished.replace(file)
        tokens, unknown, *size = totals.tolist()
        names = [field.name for field in fields(TextSize)]
        splits[split] = {
            "file": file.name,
            "tokens": tokens,
            "unknown": unknown,
            "size": dict(zip(names, size, strict=True)),
        }
        hashes[file.name] = file_sha256(file)
    name = next(name for name in (FILES[0], VOCABULARY) if (folder / name).exists())
    hashes[name] = file_sha256(folder / name)
    return {"vocabulary": vocabulary, "vocabulary_file": name, "splits": splits, "sha256": hashes}


@contextmanager
def _faults(path: Path, folder: Path) -> Iterator[None]:
    """Turn what can go wrong with the file, the folder and the processes into errors with a remedy."""
    kept = "what is done is kept, and the same command goes on from there"
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.filename is not None and Path(error.filename) == path:
            raise DataError(f"{path} cannot be read: {why}") from error
        what, remedy = f"cannot write into {folder}: {why}", "make room there, or choose another folder: --out FOLDER"
        raise ResourceError(what, remedy, kept) from error
    except BrokenProcessPool as error:
        what = "a process that encodes was killed: is there too little memory?"
        raise ResourceError(what, "try --processes 1", kept) from error
