"""Asking a trained network: one answer a text, from the command line or line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import typer

from seqlab.errors import printable, quoted
from seqlab.experiment import load
from seqlab.interfaces import Asking


def predict(folder: Path, texts: Iterable[str], how: Asking, *, config_dir: Path | None, as_json: bool) -> None:
    """Print what the run's network says of each text, one after the other: as it is written, or as a line of JSON.

    What training did not know is named on stderr. A language model's answers begin with their prompt.
    """
    network, task = load(folder, config_dir)
    for text in texts:
        unknown = task.unknown(text)
        if unknown and not as_json:
            typer.echo(f"not known from training: {quoted(unknown)}", err=True)
        if as_json:
            details = task.predict(network, text, how).details
            typer.echo(json.dumps({"text": text, **details, "unknown": list(unknown)}, ensure_ascii=False))
            continue
        pieces = task.stream(network, text, how)
        first = next(pieces, "")  # what is wrong with the text is said before any of it is
        if task.continues_texts:
            first = text + first
        for piece in chain((first,), pieces):
            typer.echo(_shown(piece), nl=False)
            sys.stdout.flush()
        typer.echo()


def _shown(text: str) -> str:
    """As it is into a file; what a network has learned to write must not steer a terminal."""
    if not sys.stdout.isatty():
        return text
    return "".join(part if part in "\n\t" else printable(part) for part in text)


def asked(stdin_is_terminal: bool) -> Iterator[str]:
    """Lines from stdin; asked for with a prompt where that is a terminal, until its end (Ctrl-D)."""
    while True:
        if stdin_is_terminal:
            typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            if stdin_is_terminal:
                typer.echo(err=True)
            return
        if text := line.rstrip("\n"):
            yield text
