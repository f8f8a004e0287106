"""Asking a trained network: one answer a text, from the command line or line by line."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO

import typer

from seqlab.core.prediction import GenerationConfig, predictor, stream
from seqlab.data.encoding import offers
from seqlab.errors import DataError, printable, quoted
from seqlab.runs.run import Run


def predict(run: Run, texts: Sequence[str] | None, generation: GenerationConfig, *, as_json: bool) -> None:
    """Print what the run's network says of each text, one after the other: as it is written, or as a line of JSON.

    texts: None for the lines of stdin. What training did not know, and what of a text is too long to be read, is named
    on stderr. A language model's answers begin with their prompt. A blank line has no answer and gives a blank line, or
    one of JSON with the prediction null. Each line that is read from a file gives one line: a line end that the network
    wrote is spelled out in it.
    Raises DataError for a text that is none.
    """
    network, task = run.network, run.task
    for number, text in enumerate(asked() if texts is None else texts, 1):
        if texts is not None:
            _check_text(text)
        if not text.strip() and (texts is None or not task.continues_texts):
            typer.echo(_as_json(text, {"prediction": None}, (), "") if as_json else "")
            continue
        unknown, unread = task.unknown(text), task.unread(text)
        if as_json:
            typer.echo(_as_json(text, predictor(task).predict(network, text, generation).details, unknown, unread))
            continue
        where = f"line {number}: " if texts is None else ""
        if unknown:
            typer.echo(f"{where}not known from training: {quoted(unknown)}", err=True)
        if unread:
            typer.echo(f"{where}cut: {unread}", err=True)
        pieces = stream(task, network, text, generation)
        first = next(pieces, "")  # what is wrong with the text is said before any of it is
        if task.continues_texts:
            first = text + first
        for piece in chain((first,), pieces):
            typer.echo(_shown(piece, one_line=texts is None and not sys.stdin.isatty()), nl=False)
            sys.stdout.flush()
        typer.echo()


def _as_json(text: str, details: Mapping[str, object], unknown: Sequence[str], unread: str) -> str:
    return json.dumps({"text": text, **details, "unknown": list(unknown), "cut": bool(unread)}, ensure_ascii=False)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # Python's stand-ins for bytes that it could not read
        raise DataError(f"the text {text!r:.60} is not UTF-8", "type it in a UTF-8 terminal, or give a file") from error


def _shown(text: str, *, one_line: bool) -> str:
    """As it is into a file; what a network has learned to write must not steer a terminal. one_line: so that answers
    can be laid beside the lines that they are answers to."""
    if one_line:
        text = text.replace("\n", "\\n").replace("\r", "\\r")
    if not sys.stdout.isatty():
        return text
    return "".join(part if part in "\n\t" else printable(part) for part in text)


def asked() -> Iterator[str]:
    """Lines from stdin without their ends; asked for with a prompt where that is a terminal, until its end (Ctrl-D)."""
    if not sys.stdin.isatty():
        yield from read_lines(sys.stdin.buffer)
        return
    while True:
        typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            typer.echo(err=True)
            return
        yield line.rstrip("\r\n")


def read_lines(file: BinaryIO) -> Iterator[str]:
    """Lines as training reads its files, each as soon as it is there: UTF-8 or, by its byte-order mark, UTF-16; ended
    by LF or CR LF, or by CR in a text without LF. Raises DataError, with its number, for a line in another encoding."""
    mark = file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b""
    encoding, number = "utf-8", 0
    lines: Iterable[bytes | str] = file
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding, lines = "utf-16", io.TextIOWrapper(file, "utf-16", newline="\n")
    try:
        for number, raw in enumerate(lines, 1):
            line = raw.decode(encoding) if isinstance(raw, bytes) else raw
            if number == 1:
                line = line.removeprefix("\ufeff")
                if not line.endswith("\n"):
                    yield from line.removesuffix("\r").split("\r")
                    return
            yield line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        marked = encoding != "utf-8"
        what = f"line {number + marked} of the input is not {encoding.upper()}: byte 0x{error.object[error.start]:02x}"
        if marked:
            raise DataError(what, "its byte-order mark says so: is it whole?") from error
        raise DataError(what, *offers(error.object, "pass the input through iconv -f {} -t UTF-8".format)) from error
