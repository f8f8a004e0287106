"""What every corpus with a name says about itself. Each stands in a file of its own in data/corpora/."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqlab.data.files import expanded
from seqlab.errors import ConfigError, DataError

VARIABLE = "SEQLAB_DATA_DIR"
MAY_DIFFER = "a corpus that comes with Python or a package can differ by its version"
"""Why a corpus of the same name can have another content."""
Condition = Literal["ok", "damaged", "incomplete", "not here", "not checked"]


def data_dir() -> Path:
    """The folder of downloaded corpora: SEQLAB_DATA_DIR, or `seqlab` in the platform's folder for caches."""
    if given := os.environ.get(VARIABLE):
        return expanded(given).absolute()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or expanded("~/AppData/Local"))
    elif sys.platform == "darwin":
        cache = expanded("~/Library/Caches")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache"))
    return cache / "seqlab"


@dataclass(frozen=True, kw_only=True)
class Corpus(ABC):
    """A corpus with a name.

    tasks: those that read it, each with a function that reads its files for that task, and imports what it needs only
    then; docs/extending.md says what it takes and returns. about: one sentence. licence: of the data, not of the
    package that has them. citation: one line. source: the address of the original. package: the one that has it, if one
    has. version: of the package; None if any serves. synthetic: whether it is made up; what figures come from says so.
    target: the code of the language that its pairs translate into, if they have one and no setting chooses it.
    """

    comes: ClassVar[str]
    """How it gets here: `embedded` or `downloaded`."""

    name: str
    tasks: Mapping[str, Callable[..., Any]]
    about: str
    licence: str
    citation: str
    source: str
    package: str | None = None
    version: str | None = None
    synthetic: bool = False
    target: str | None = None

    @abstractmethod
    def where(self) -> Path | None:
        """The file, or the folder of several files; None if it is not here. Nothing is downloaded or checked."""

    @abstractmethod
    def size(self) -> int | None:
        """In bytes; None if that is not known before it is here."""

    @abstractmethod
    def condition(self) -> Condition:
        """Whether it is here, and as it should be."""

    @abstractmethod
    def files(self) -> list[Path]:
        """Its files, checked, and brought here first if need be. Raises DataError."""

    def content(self, task: str, *settings: Any) -> Any:
        """What it holds, in the form that a task takes. Raises DataError as files() does."""
        return self.tasks[task](self.files(), *settings)

    @abstractmethod
    def fetch(self, given: Sequence[Path] = ()) -> None:
        """Bring it here if it is not: from these files, or by a download. Raises DataError."""


@dataclass(frozen=True, kw_only=True)
class EmbeddedCorpus(Corpus):
    """A corpus that comes with Python or with a package that seqlab requires.

    package: by its import name. file: the file or folder in it.
    """

    comes = "embedded"

    package: str
    file: str

    def where(self) -> Path | None:
        found = find_spec(self.package)  # does not import it
        path = Path(found.origin).parent / self.file if found is not None and found.origin is not None else None
        return path if path is not None and path.exists() else None

    def size(self) -> int | None:
        path = self.where()
        if path is None:
            return None
        return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else (path,)))

    def condition(self) -> Condition:
        return "not here" if self.where() is None else "not checked"

    def files(self) -> list[Path]:
        self.fetch()
        path = self.where()
        return [] if path is None else [path]

    def fetch(self, given: Sequence[Path] = ()) -> None:
        if given:
            raise ConfigError(f"--from FILE: corpus {self.name} is embedded, not downloaded", "leave --from out")
        if self.where() is None:
            hint = "install seqlab again, with all that it requires"
            raise DataError(f"corpus {self.name}: {self.file} is missing from the package {self.package}", hint)
