"""Prepared corpora: a folder with the ids of a text in memory-mapped files, its vocabulary, and a description."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlab.core.batch import SPLITS, Split
from seqlab.core.files import read_json
from seqlab.data.files import exists, expanded
from seqlab.data.subwords import Subwords
from seqlab.data.token_ids import TextSize, TokenIds, id_type
from seqlab.data.tokens import FILES, TOKENS
from seqlab.data.vocabulary import Vocabulary
from seqlab.data.words import Normalization
from seqlab.errors import ConfigError, DataError

FILE, FORMAT = "prepared.json", 1


@dataclass(frozen=True, kw_only=True)
class PreparedBy:
    """The settings of a task that the files depend on."""

    tokens: str
    vocabulary_size: int | None
    normalize: Normalization
    train_share: float
    validation_share: float

    @classmethod
    def of(
        cls, tokens: str, vocabulary_size: int | None, normalize: Normalization, train: float, validation: float
    ) -> PreparedBy:
        """Those of a task with these shares of the text for its splits."""
        return cls(
            tokens=tokens, vocabulary_size=vocabulary_size, normalize=normalize, train_share=train,
            validation_share=validation,
        )  # fmt: skip

    def overrides(self) -> str:
        """The settings that a task needs to read them, as overrides."""
        return shlex.join(f"task.{key}={'null' if value is None else value}" for key, value in asdict(self).items())


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus. facts: the content of prepared.json."""

    folder: Path
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, where: str) -> Prepared:
        """The corpus in a folder; only its description is read. Raises DataError."""
        folder = expanded(where)
        remedy = "prepare it again: seqlab data prepare FILE"
        try:
            facts = read_json(folder / FILE, 2**24)
            if facts["format"] != FORMAT:
                raise DataError(f"{folder} was prepared in format {facts['format']}, and this reads {FORMAT}", remedy)
            for split in SPLITS:
                path, entry = folder / facts["splits"][split]["file"], facts["splits"][split]
                if path.stat().st_size != entry["tokens"] * np.dtype(id_type(facts["vocabulary"])).itemsize:
                    raise DataError(f"{path} has not the size that {FILE} says", remedy)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder} is no prepared corpus: {error!r:.120}", remedy) from error
        return cls(folder, facts)

    @property
    def by(self) -> PreparedBy:
        return PreparedBy(**self.facts["settings"])

    def check(self, settings: PreparedBy, key: str) -> None:
        """Raise ConfigError unless a task's settings are those that it was prepared with."""
        mine, theirs = asdict(self.by), asdict(settings)
        if not {mine["tokens"], theirs["tokens"]} & set(TOKENS) and self._keeps(theirs["tokens"]):
            theirs["tokens"] = mine["tokens"]
        if mine["tokens"] not in TOKENS:  # a file has its own size
            theirs["vocabulary_size"] = mine["vocabulary_size"]
        if changed := [name for name in mine if mine[name] != theirs[name]]:
            shown = ", ".join(f"task.{name}={mine[name]}, not {theirs[name]}" for name in changed)
            raise ConfigError(f"{key}={self.folder} was prepared with {shown}", f"give {self.by.overrides()}")

    def _keeps(self, tokens: str) -> bool:
        """Whether this path is of a copy of the tokenizer that it was prepared with."""
        path, kept = expanded(tokens), self.folder / self.facts["vocabulary_file"]
        return path.is_file() and path.read_bytes() == kept.read_bytes()

    def vocabulary(self) -> Vocabulary:
        """Its tokens."""
        return read_vocabulary(self.folder / self.facts["vocabulary_file"])

    def ids(self, split: Split) -> TokenIds:
        """Those of a split, read from the file when they are used, and shared with other processes."""
        path = self.folder / self.facts["splits"][split]["file"]
        if not path.stat().st_size:
            return TokenIds(np.zeros(0, dtype=np.uint8))
        return TokenIds(np.memmap(path, dtype=id_type(self.facts["vocabulary"]), mode="r"))

    def size(self, split: Split) -> TextSize:
        """Of a split's text."""
        return TextSize(**self.facts["splits"][split]["size"])

    def unknown(self, split: Split) -> int:
        """How many tokens of a split are unknown."""
        return int(self.facts["splits"][split]["unknown"])

    def condition(self) -> Literal["ok", "damaged"]:
        """Whether all files have the sha256 that the description says."""
        hashes: Mapping[str, str] = self.facts["sha256"]
        return "ok" if all(file_sha256(self.folder / name) == digest for name, digest in hashes.items()) else "damaged"


def read_vocabulary(path: Path) -> Vocabulary:
    """The tokens in a file of a prepared corpus. Raises DataError for a file that is no tokenizer."""
    if path.name == FILES[0]:
        return Subwords(path.read_text(encoding="utf-8"))
    return Vocabulary.restored(read_json(path, 2**30))


def is_prepared(where: str) -> bool:
    """Whether a setting names the folder of a prepared corpus."""
    return bool(where.strip()) and exists(expanded(where) / FILE)


def file_sha256(path: Path) -> str:
    """Of a file of any size; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
