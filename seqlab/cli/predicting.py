"""Printing predictions: one for each text of the command line or line of stdin."""

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
    """Print the prediction for each text: as it is generated, or as one line of JSON.

    texts: None for the lines of stdin. Tokens that are unknown to training, and texts that are truncated, are reported
    on stderr. The output of a language model begins with its prompt. A blank line gives a blank line, or JSON with the
    prediction null. Each line of a file gives one line: line ends in generated text are escaped.
    Raises DataError for a text that is not valid.
    """
    network, task = run.network, run.task
    for number, text in enumerate(input_lines() if texts is None else texts, 1):
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
            typer.echo(f"{where}not seen in training: {quoted(unknown)}", err=True)
        if unread:
            typer.echo(f"{where}cut: {unread}", err=True)
        pieces = stream(task, network, text, generation)
        first = next(pieces, "")  # raises an error about the text before anything is printed
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
    except UnicodeEncodeError as error:  # surrogates, which Python uses for bytes that it could not decode
        raise DataError(f"the text {text!r:.60} is not UTF-8", "type it in a UTF-8 terminal, or give a file") from error


def _shown(text: str, *, one_line: bool) -> str:
    """Text as it is printed: unchanged into a file, with control characters escaped on a terminal. one_line: escape
    line ends, so that predictions match their input lines."""
    if one_line:
        text = text.replace("\n", "\\n").replace("\r", "\\r")
    if not sys.stdout.isatty():
        return text
    return "".join(part if part in "\n\t" else printable(part) for part in text)


def input_lines() -> Iterator[str]:
    """Lines from stdin without their ends; on a terminal with a prompt, until Ctrl-D."""
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
    """Lines decoded as training decodes its files, each as soon as it arrives: UTF-8 or, with a byte-order mark,
    UTF-16; ended by LF or CR LF, or by CR in a text without LF. Raises DataError, with the line number, for another
    encoding."""
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
            raise DataError(what, "though its byte-order mark says so: is it complete?") from error
        raise DataError(what, *offers(error.object, "pass the input through iconv -f {} -t UTF-8".format)) from error
