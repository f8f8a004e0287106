"""Keep freed memory between steps."""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
# bytes: larger blocks still come from the system and are returned to it
_MOST = 2**30
_MOST_OF_OLD = 2**25  # the largest value that older versions accept


def keep_memory() -> None:
    """Make glibc keep freed memory for the rest of this process. Does nothing with another C library.

    By default glibc returns large blocks to the system after each step and requests them again in the next, and the
    system clears every page anew: up to a third of an LSTM's step on a CPU. On GPUs torch has a cache of its own.
    """
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, ValueError, OSError):  # no confstr, no such name, no mallopt
        return
    if mallopt(_M_MMAP_THRESHOLD, _MOST) or mallopt(_M_MMAP_THRESHOLD, _MOST_OF_OLD):
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
