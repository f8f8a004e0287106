"""Who is told how a run goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # which need torch
    from seqlab.training.config import TrainerConfig
    from seqlab.training.progress import Observer


class Reporter:
    """Says nothing but its warnings, on stderr: what a program that calls seqlab wants. The command line has another
    (cli/display.py)."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def warn(self, text: str) -> None:
        """What must be known at once, also where nothing else is said."""
        print(f"warning: {text}", file=sys.stderr)

    @contextmanager
    def training(self, limits: TrainerConfig) -> Iterator[tuple[Observer, ...]]:
        """Those who watch while a network trains."""
        yield ()
