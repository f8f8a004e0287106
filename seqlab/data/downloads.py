"""Downloading files by their addresses: pooch checks the hash, and what an interrupted download left is continued."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seqlab.data.archives import Unusable, Unwritable
from seqlab.data.known_file import KnownFile

if TYPE_CHECKING:
    from requests import Response

TIMEOUT = (15.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""
_TRIES = 3  # of one address, as long as each brings some bytes
_ABANDONED = 120.0  # seconds without a byte after which nobody writes a partial file: more than any timeout
_MOST_BYTES = 2**33  # of a file whose size is not known
_PART = 2**16


@dataclass(frozen=True)
class Remote:
    """A file to download.

    url: its address. size, hash: as KnownFile has them. mirrors: addresses to try next. members: if it is a zip or a
    gzipped tar archive, the files in it that are kept; (): the file itself is. name: of the file; None: as in its
    address.
    """

    url: str
    size: int | None = None
    hash: str | None = None
    mirrors: tuple[str, ...] = ()
    members: tuple[KnownFile, ...] = ()
    name: str | None = None

    @property
    def file(self) -> KnownFile:
        """What is downloaded."""
        return KnownFile(self.name or urlsplit(self.url).path.rpartition("/")[2], self.size, self.hash)

    @property
    def kept(self) -> tuple[KnownFile, ...]:
        """What is kept of it."""
        return self.members or (self.file,)


def download(remote: Remote, folder: Path, partial: Path) -> Path:
    """Download a file into a folder, from the first of its addresses that serves. partial: the folder in which half a
    file is kept, to be continued by the next download. Raises Unusable with the reason for each address; Unwritable."""
    reasons = []
    for url in (remote.url, *remote.mirrors):
        try:
            return _from(url, remote.file, folder, partial)
        except Unusable as error:
            reasons.append(f"{url}: {error}")
    raise Unusable("; ".join(reasons))


def _from(url: str, file: KnownFile, folder: Path, partial: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    for _ in range(2):
        downloader = _Continuing(file, partial)
        try:
            path = Path(pooch.retrieve(url, file.hash, fname=file.name, path=folder, downloader=downloader))
        except ValueError as error:  # by pooch, which has removed the file
            if downloader.continued:  # perhaps the address has another file now: from the beginning, once
                continue
            raise Unusable(f"it does not have the expected {file.kind}") from error
        except OSError as error:
            raise Unwritable(error) from error
        if (flaw := file.flaw(path)) is None:
            return path
        path.unlink()
        raise Unusable(f"it {flaw}")
    raise Unusable(f"it does not have the expected {file.kind}")


class _Continuing:
    """A downloader for pooch. Half a file is kept under a name that says so.

    Of two processes at once, one continues it, since only one can rename it; the other starts a file of its own.
    """

    def __init__(self, file: KnownFile, partial: Path) -> None:
        self.file, self.partial, self.continued = file, partial, False

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Write what is at the address into output_file. Raises Unusable, OSError."""
        own = self._claimed()
        try:
            self._receive(url, own)
            shutil.move(own, output_file)
        except OSError:  # a full disk is not left full
            own.unlink(missing_ok=True)
            raise
        finally:  # also after Ctrl-C
            if own.exists():
                own.replace(self._free) if own.stat().st_size and self.file.hash else own.unlink()

    @property
    def _free(self) -> Path:
        """A partial file that nobody writes."""
        return self.partial / f".{self.file.name}.part"

    def _claimed(self) -> Path:
        """A partial file that is this process' own: one that nobody writes, or a new one, as always where no hash could
        tell that the parts of two days do not fit."""
        own = self._free.with_suffix(f".{os.urandom(4).hex()}.part")
        if self.file.hash is None:
            return own
        for left in (self._free, *self.partial.glob(f".{self.file.name}.????????.part")):
            with suppress(OSError):  # another process has just taken it
                if left == self._free or time.time() - left.stat().st_mtime > _ABANDONED:
                    left.rename(own)
                    self.continued = True
                    break
        return own

    def _receive(self, url: str, own: Path) -> None:
        """Try again where the connection broke, as long as each try brings some bytes."""
        import requests

        have, problem = _size(own), ""
        with _progress(self.file, have) as shown:
            for _ in range(_TRIES):
                before = have
                try:
                    self._rest(url, own, before, shown)
                    return
                except requests.HTTPError as error:
                    answer = error.response
                    raise Unusable(
                        f"{answer.status_code} {answer.reason}" if answer is not None else str(error)
                    ) from None
                except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                    have, problem = _size(own), _problem(error)
                except requests.RequestException as error:
                    raise Unusable(str(error)) from error
                if have <= before:
                    break
        size = f" of {self.file.size:,}" if self.file.size else ""
        raise Unusable(problem + (f" after {have:,}{size} bytes" if have else ""))

    def _rest(self, url: str, own: Path, have: int, shown: Callable[[int, int | None], None]) -> None:
        """Append what is not there yet, or write all of it anew if the server gives no part."""
        import requests

        if have and have == self.file.size:
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            no_such_part = have > 0 and response.status_code == 416
            if not no_such_part:
                response.raise_for_status()
                if not _continues(response, have):
                    have = 0
                length = int(response.headers.get("Content-Length", 0))
                total = self.file.size or (have + length if length else None)
                with own.open("ab" if have else "wb") as file:
                    for part in response.iter_content(_PART):
                        have += file.write(part)
                        shown(have, total)
                        if have > (self.file.size or _MOST_BYTES):
                            break
        if no_such_part:
            own.unlink()
            self._rest(url, own, 0, shown)
        elif have > (self.file.size or _MOST_BYTES):
            own.unlink()
            raise Unusable(f"it is larger than the {self.file.size or _MOST_BYTES:,} bytes that it should have")
        elif self.file.size and have < self.file.size:
            raise requests.ConnectionError("it ended too early")


def _continues(response: Response, have: int) -> bool:
    """Whether the response begins where the partial file ends."""
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _problem(error: OSError) -> str:
    """Why no more bytes come, from an exception of requests."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "there is no secure connection: is its certificate trusted (REQUESTS_CA_BUNDLE)?"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached, or refuses"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return f"nothing came for {TIMEOUT[1]:g} seconds"
    refused = isinstance(error, requests.ConnectionError) and "Max retries" in str(error)
    return "there is no connection" if refused else "the connection broke"


@contextmanager
def _progress(file: KnownFile, have: int) -> Iterator[Callable[[int, int | None], None]]:
    """A function that shows (bytes so far, bytes in all) as a progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(file.name, total=file.size, completed=have)
        yield lambda now, total: progress.update(bar, completed=now, total=total)
