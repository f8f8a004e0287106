"""A lock that lets one process at a time work in a folder."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqlab.errors import LockedError, ResourceError

_log = logging.getLogger("seqlab")


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


@contextmanager
def locked(
    folder: Path, hint: str = "wait for it, or stop it", elsewhere: str = "try runs_dir=FOLDER"
) -> Iterator[int | None]:
    """Hold `folder`/.lock. Yields its file descriptor, which child processes may inherit. Raises LockedError, with
    `hint`, if another process holds it, and ResourceError, with `elsewhere`, if the folder is not writable.

    The kernel releases the lock when the last process that holds it ends, however that happens: no lock is ever stale.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield None
        return
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise ResourceError(f"cannot write to {folder}: {error.strerror}", elsewhere) from error
    held = False
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                _log.warning("%s cannot be locked (%s): start no second process on it", folder, error.strerror)
                yield descriptor
                return
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            raise LockedError(f"{folder} is locked by process {holder}", hint) from None
        if not _is_still(folder / ".lock", descriptor):  # its last holder has just removed it or the folder
            raise LockedError(f"{folder} was locked a moment ago", "try again")
        held = True
        with suppress(OSError):  # the process id is only for people to read: a full disk may lose it
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        if held and folder.is_dir() and [path.name for path in folder.iterdir()] == [".lock"]:  # nothing was written
            (folder / ".lock").unlink()
            for made in new:
                with suppress(OSError):  # another process has put something there
                    made.rmdir()
        os.close(descriptor)


def wait_until_free(folder: Path, seconds: float) -> None:
    """Wait until no process holds the lock of `folder`. Raises LockedError if one still does after `seconds`."""
    last = time.monotonic() + seconds
    while folder.exists():
        try:
            with locked(folder):
                return
        except LockedError:
            if time.monotonic() > last:
                raise
        time.sleep(0.5)
