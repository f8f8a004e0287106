"""Processes that work beside each other, and end with the one that gives them work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

Mapped = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


@contextmanager
def mapping(processes: int) -> Iterator[Mapped]:
    """A function like map, which uses so many processes."""
    if processes < 2:
        yield lambda function, items: list(map(function, items))
        return
    # spawned, since a process that has threads must not be forked
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent) as pool:
        yield lambda function, items: list(pool.map(function, items))


def _end_with_parent() -> None:
    """A process of a pool waits for work for ever if the one that gives it is killed. Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)
