"""The command data prepare."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.data import data_app
from seqlab.cli.options import AsJson, Debug, home
from seqlab.errors import ConfigError, printable


@data_app.command("prepare")
def data_prepare(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A UTF-8 text file of any size, unpacked.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The folder to write; by default FILE.prepared.", callback=home),
    ] = None,
    tokens: Annotated[
        str, typer.Option("--tokens", metavar="TOKENS", help="char, word, bpe, unigram, or a tokenizer.json.")
    ] = "char",
    vocabulary_size: Annotated[
        int | None,
        typer.Option(
            "--vocabulary-size", metavar="N", min=5, help="Tokens at most: all characters or words, 4096 subwords.",
            show_default=False,
        ),
    ] = None,
    normalize: Annotated[str, typer.Option("--normalize", metavar="FORM", help="none or nfc.")] = "none",
    train_share: Annotated[float, typer.Option("--train-share", min=0.0, max=1.0, help="The training split.")] = 0.8,
    validation_share: Annotated[
        float, typer.Option("--validation-share", min=0.0, max=1.0, help="The validation split; test is the rest.")
    ] = 0.1,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, help="By default, one for each core.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Encode a text that is larger than memory, once, for task=char_lm. After a kill, the same command goes on.

    Example: seqlab data prepare wiki.txt --tokens bpe --vocabulary-size 8000"""
    import json
    from functools import partial

    from seqlab.data.pieces import find_text
    from seqlab.data.prepared import PreparedBy
    from seqlab.data.preparing import prepare
    from seqlab.data.splits import check_shares
    from seqlab.data.tokens import check_size, checked
    from seqlab.runs.lock import locked

    try:
        checked(tokens)
        check_size(tokens, vocabulary_size)
        check_shares(train_share, validation_share)
    except ValueError as error:
        what, _, hint = str(error).partition("; ")
        raise ConfigError(what if "task." in what else f"--tokens {tokens}: {what}", hint) from error
    if normalize not in ("none", "nfc"):
        raise ConfigError(f"--normalize {normalize} is not allowed", "none or nfc")
    by = PreparedBy.of(tokens, vocabulary_size, "nfc" if normalize == "nfc" else "none", train_share, validation_share)
    folder = out or Path(f"{file}.prepared")
    say = partial(typer.echo, err=True)
    find_text(file)  # before there is a folder
    with locked(folder, elsewhere="choose another folder: --out FOLDER"):
        found = prepare(file, folder, by, processes=processes or os.cpu_count() or 1, tell=say)
    if as_json:
        typer.echo(json.dumps(found.facts, indent=2, ensure_ascii=False))
        return
    for split, entry in found.facts["splits"].items():
        size = entry["size"]
        typer.echo(f"{split}: {entry['tokens']:,} tokens, {size['characters']:,} characters, {size['bytes']:,} bytes")
    typer.echo(printable(f"train on it: seqlab train {shlex.quote(f'task.corpus={folder}')} {by.overrides()}"))
