"""What corpora that are brought here have in common: files in a cache, checked each time they are read."""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from seqlab.core.files import copy_file
from seqlab.data.archives import Unusable, Unwritable
from seqlab.data.corpus import VARIABLE, Condition, Corpus, data_dir
from seqlab.data.known_file import KnownFile
from seqlab.errors import DataError, ResourceError, printable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORK = ".seqlab-"  # how the folder begins in which a corpus is put together: a killed process leaves it


@dataclass(frozen=True, kw_only=True)
class CachedCorpus(Corpus):
    """A corpus of files that are downloaded on first use into a folder for caches, or brought there by the user.

    folder: in the folder for caches, or of a user's that already has the files; null: the corpus' name. Corpora that
    share files share their folder.
    """

    comes = "downloaded"
    works_in_cache: ClassVar[bool] = True
    """Whether it is put together in the cache, since it may be large, or in the folder for temporary files."""

    folder: str | None = None

    @property
    @abstractmethod
    def known(self) -> tuple[KnownFile, ...]:
        """Its files."""

    @abstractmethod
    def bring(self, folder: Path, missing: Sequence[KnownFile]) -> Mapping[KnownFile, Path]:
        """Download at least the missing files into an empty folder; they are checked. Raises Unusable, OSError."""

    @abstractmethod
    def taken(self, given: Path, folder: Path) -> Mapping[KnownFile, Path]:
        """Those of its files that a user's archive has, unpacked into an empty folder. Raises Unusable, OSError."""

    @property
    @abstractmethod
    def containers(self) -> tuple[str, ...]:
        """The names of its archives, to be found in a user's folder."""

    @abstractmethod
    def elsewhere(self, missing: Sequence[KnownFile]) -> tuple[str, str]:
        """(the command that downloads these files on another machine, the file or folder to bring here)."""

    def where(self) -> Path | None:
        paths = self.paths()
        if not all(path.is_file() for path in paths):
            return None
        return paths[0] if len(paths) == 1 else paths[0].parent

    def size(self) -> int | None:
        sizes = [file.size for file in self.known]
        if None not in sizes:
            return sum(size for size in sizes if size is not None)
        return None if self.where() is None else sum(path.stat().st_size for path in self.paths())

    def condition(self) -> Condition:
        there = [(file, path) for file, path in self._placed() if path.exists()]
        if any(not file.is_content(path) for file, path in there):
            return "damaged"
        if len(there) < len(self.known):
            return "incomplete" if there else "not here"
        return "ok" if all(file.is_checked(path) for file, path in there) else "not checked"

    def files(self) -> list[Path]:
        """The cached files in their order, checked, and downloaded first if need be.

        Raises DataError, which says how to bring the corpus here, if it cannot be downloaded or is not the expected
        one; ResourceError if the cache cannot be written.
        """
        missing = self._missing()
        if missing:
            self._download(missing)
        for file, path in self._placed():
            if not file.is_checked(path):
                file.record(path)
        return self.paths()

    def fetch(self, given: Sequence[Path] = ()) -> None:
        """Bring it here. given: its files, archives of them, or folders of either. Raises DataError as files() does."""
        if not given:
            self.files()
            return
        with self._at_work() as folder:
            found: dict[KnownFile, Path] = {}
            for number, path in enumerate(given):
                place = folder / str(number)
                place.mkdir()
                try:
                    found |= self._given(path, place)
                except Unusable as error:
                    raise self._unusable(str(error)) from error
                except Unwritable as error:
                    raise self._no_room(error.cause, folder) from error
                except OSError as error:
                    raise DataError(f"--from {path}: {error.strerror or error}", "give the path of a file") from error
            if missing := [file.name for file in self._missing() if file not in found]:
                raise self._unusable(f"{', '.join(missing)} is missing")
            self._store(found, folder)

    def remove(self, keep: Collection[Path] = ()) -> int:
        """Remove its files from the cache, but for those to keep, and what killed processes left. Returns the number of
        bytes that this freed. Raises DataError."""
        place, freed = self.place(), 0
        paths = [path for path in self.paths() if path not in keep]
        names = (*(path.name for path in paths), *self.containers)
        left = [part for name in names for part in place.glob(f".{name}.*")]
        try:
            for work in place.glob(f"{_WORK}*"):
                shutil.rmtree(work)
            for path in (*paths, *map(KnownFile.record_of, paths), *left):
                if path.is_file() or path.is_symlink():
                    freed += path.lstat().st_size
                    path.unlink()
            with suppress(OSError):
                place.rmdir()  # if nothing else is in it
        except OSError as error:
            raise self._no_room(error) from error
        return freed

    def _given(self, path: Path, folder: Path) -> Mapping[KnownFile, Path]:
        if path.is_dir():
            return self._in_folder(path, folder)
        path.stat()  # says why, if it is not there
        if path.is_file():
            known = [file for file in self.known if file.hash is not None or file.name == path.name]
            if file := next((file for file in known if file.is_content(path)), None):
                return {file: path}
        return self.taken(path, folder)

    def _in_folder(self, path: Path, folder: Path) -> Mapping[KnownFile, Path]:
        places = (path, path / (self.folder or self.name))
        found = {file: place / file.name for file in self.known for place in places if (place / file.name).is_file()}
        for file, there in found.items():
            if (flaw := file.flaw(there)) is not None:
                raise Unusable(f"{there} {flaw}")
        for container in (place / name for place in places for name in self.containers):
            if len(found) < len(self.known) and container.is_file():
                found = {**self.taken(container, folder), **found}
        if not found:
            names = ", ".join([*(file.name for file in self.known), *self.containers])
            raise Unusable(f"the folder {path} has none of {names}")
        return found

    def place(self) -> Path:
        """Its folder in the cache."""
        return data_dir() / (self.folder or self.name)

    def paths(self) -> list[Path]:
        """Its files in the cache, whether they are there or not."""
        return [self.place() / file.name for file in self.known]

    def _placed(self) -> Iterator[tuple[KnownFile, Path]]:
        yield from zip(self.known, self.paths(), strict=True)

    def _missing(self) -> list[KnownFile]:
        return [file for file, path in self._placed() if not file.is_content(path)]

    def _download(self, missing: Sequence[KnownFile]) -> None:
        damaged = self.condition() == "damaged"
        if damaged or sys.stderr.isatty():
            what = f"corpus {self.name} is damaged in the cache: " if damaged else f"corpus {self.name}: "
            print(printable(f"{what}downloading {self.origin()}"), file=sys.stderr)
        with self._at_work() as folder:
            try:
                found = self.bring(folder, missing)
            except Unwritable as error:
                raise self._no_room(error.cause, folder) from error
            except (Unusable, OSError) as error:
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise self._no_room(error, folder) from error
                raise self._unusable(str(error)) from error
            self._store(found, folder)

    def origin(self) -> str:
        """Where it is downloaded from, for a message."""
        return self.source

    def _store(self, found: Mapping[KnownFile, Path], work: Path) -> None:
        """Put these files into the cache. Those in the work folder need not be copied if it is in the cache too."""
        try:
            for file, path in self._placed():
                if file not in found or (path.exists() and path.samefile(found[file])):
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                if self.works_in_cache and found[file].is_relative_to(work):
                    found[file].replace(path)
                else:
                    copy_file(found[file], path)
                KnownFile.record_of(path).unlink(missing_ok=True)
                file.record(path)
        except OSError as error:
            raise self._no_room(error) from error

    @contextmanager
    def _at_work(self) -> Iterator[Path]:
        """A folder to work in. Raises ResourceError if it or the cache cannot be written, before any download."""
        cache = self.place()
        try:
            data_dir().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=data_dir()):
                pass
            if self.works_in_cache:
                cache.mkdir(exist_ok=True)
            place = cache if self.works_in_cache else None
            work = tempfile.TemporaryDirectory(prefix=_WORK, dir=place, ignore_cleanup_errors=True)
        except OSError as error:
            at_work = _WORK in str(error.filename)
            raise self._no_room(error, Path(error.filename) if at_work else None) from error
        try:
            with work as folder:
                yield Path(folder)
        finally:
            with suppress(OSError):
                cache.rmdir()  # if nothing came

    def _no_room(self, error: OSError, work: Path | None = None) -> ResourceError:
        """work: the folder to work in, if that is what cannot be written."""
        place, remedy = data_dir(), f"to keep corpora elsewhere, set {VARIABLE} to a folder of your own"
        if work is not None and not self.works_in_cache:
            place, remedy = work.parent, "make room there, or set TMPDIR to another folder for temporary files"
        what = f"corpus {self.name}: cannot write into {place}: {error.strerror or error}"
        return ResourceError(what, remedy)

    def _unusable(self, why: str) -> DataError:
        command, file = self.elsewhere(self._missing() or self.known)
        return DataError(
            f"corpus {self.name}: {why}",
            f"on a machine with a network: {command}",
            f"then here: seqlab data fetch {self.name} --from {file}",
        )
