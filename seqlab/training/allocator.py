"""Keeping memory between steps."""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
# bytes: what is larger still comes from the system, and goes back to it
_MOST = 2**30
_MOST_OF_OLD = 2**25  # all that older ones take


def keep_memory() -> None:
    """Let glibc keep what tensors give back, for the whole process and once and for all; does nothing elsewhere.

    By itself it returns large blocks to the system at the end of each step and asks for them again in the next, and
    the system clears every page anew: up to a third of a step of an LSTM on a CPU. GPUs have torch's own cache.
    """
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, ValueError, OSError):  # no confstr, no such name, no mallopt
        return
    if mallopt(_M_MMAP_THRESHOLD, _MOST) or mallopt(_M_MMAP_THRESHOLD, _MOST_OF_OLD):
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
