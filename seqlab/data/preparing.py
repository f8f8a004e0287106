"""Preparing a text of any size: in three passes over its pieces it is measured, its vocabulary learned, and encoded by
several processes. What is done is kept, so that the same call goes on after a kill."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.core.files import read_json, write_bytes, write_json, write_text
from seqlab.data.pieces import PIECE, Piece, TextFile, digest_of, find_text, pieces_of
from seqlab.data.prepared import FILE, FORMAT, Prepared, PreparedBy, file_sha256, read_vocabulary
from seqlab.data.splits import cut_at
from seqlab.data.subwords import Subwords
from seqlab.data.token_ids import TextSize, character_counts, ids_of, most_frequent, subword_ids
from seqlab.data.tokens import DEFAULT_SIZE, FILES, subword_vocabulary, unit_of
from seqlab.data.vocabulary import UNKNOWN, Vocabulary
from seqlab.data.words import normalized
from seqlab.errors import ConfigError, DataError

Tell = Callable[[str], None]
Mapped = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
VOCABULARY = "vocabulary.json"
_BEGUN, _PARTS = "preparing.json", "parts"


def prepare(
    where: str, folder: Path, by: PreparedBy, *, processes: int = 1, tell: Tell = lambda _: None, piece: int = PIECE
) -> Prepared:
    """Encode the text of a file into a folder, or finish what was begun there. tell: is told what is done. Raises
    DataError for a file that is no text, ConfigError for a folder with something else in it."""
    path = find_text(where)
    begun = {"source": str(path.resolve()), "bytes": path.stat().st_size, "settings": asdict(by), "piece": piece}
    if (folder / FILE).exists():
        raise ConfigError(f"{folder} has a prepared corpus already", "remove it, or choose another: --out FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / _BEGUN
    if any(folder.iterdir()) and not (note.exists() and read_json(note) == begun):
        raise ConfigError(f"{folder} has other files in it", "choose another folder: --out FOLDER")
    write_json(note, begun)
    (folder / _PARTS).mkdir(exist_ok=True)
    tell("measuring the text")
    file, jobs, digest = _measured(path, by, piece)
    tell("learning the vocabulary")
    with _mapped(processes) as mapped:
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
    write_json(folder / FILE, facts)
    shutil.rmtree(folder / _PARTS)
    note.unlink()
    return Prepared.read(str(folder))


def _measured(path: Path, by: PreparedBy, size: int) -> tuple[TextFile, dict[Split, list[Piece]], str]:
    """(the file as it is read, the pieces of each split, the digest of the text)."""
    pieces, length, old_line_ends = pieces_of(path, size)
    file = TextFile(path, by.normalize, old_line_ends)
    sizes: list[int] = []

    def texts() -> Iterator[str]:
        for piece in pieces:
            text = file.raw(piece)
            yield text
            sizes.append(len(normalized(text, by.normalize)))

    digest = digest_of((texts(), length))
    total = sum(sizes)
    if not total:
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
def _mapped(processes: int) -> Iterator[Mapped]:
    """A function like map, which uses so many processes."""
    if processes < 2:
        yield lambda function, items: list(map(function, items))
        return
    # spawned, since a process that has threads must not be forked
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield lambda function, items: list(pool.map(function, items))
