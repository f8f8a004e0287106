"""predict, evaluate and inspect: what a trained network can do, and why."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import Candidates, complete_name
from seqlab.cli.options import AsJson, ConfigDir, Debug, KnownRun, RunsDir, home
from seqlab.errors import CheckpointError, ConfigError
from seqlab.insight.views import VIEWS


def _complete_word(context: typer.Context, incomplete: str) -> Candidates:
    given = context.params.get("words") or []
    if not given:  # views come after the runs
        return complete_name(context, incomplete)
    if given[-1] == ":":  # of best:TASK, in bash
        return []
    return [(view, "") for view in VIEWS if view.startswith(incomplete)] + complete_name(context, incomplete)


class Heldout(StrEnum):
    """The splits that a network was not trained on."""

    validation = "validation"
    test = "test"


@app.command()
def predict(
    context: typer.Context,
    run: KnownRun,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Without any, lines are read.", show_default=False)
    ] = None,
    length: Annotated[int, typer.Option("--length", min=1, help="Characters that a language model writes.")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Below 1: likelier (0: greedy), above: wilder.")
    ] = 0.8,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Draw from that many of the likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Draw from the likeliest with this share.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0,
    beams: Annotated[int, typer.Option("--beam", help="Translations that are followed at once.")] = 1,
    length_penalty: Annotated[
        float, typer.Option("--length-penalty", help="Above 0 a beam search likes longer translations.")
    ] = 0.0,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask a trained network. Example: seqlab predict last "The "

    A language model goes on with the text, a classifier names its label, a translator translates it.
    """
    import seqlab
    from seqlab.cli import predicting
    from seqlab.core.prediction import GenerationConfig
    from seqlab.runs.catalogue import exists
    from seqlab.runs.run import check_options

    found = seqlab.load(run, config_dir=config_dir, runs_dir=runs_dir)
    if not exists(run):
        typer.echo(f"run: {found.folder}", err=True)

    generation = GenerationConfig(
        length=length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, beams=beams,
        length_penalty=length_penalty,
    )  # fmt: skip
    check_options(found, generation, _typed(context))
    predicting.predict(found, texts or None, generation, as_json=as_json)


def _typed(context: typer.Context) -> dict[str, str]:
    """The options that stand on the command line, by the name of their parameter."""
    typed: dict[str, str] = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            typed[parameter.name or ""] = parameter.opts[0]
    return typed


@app.command()
def evaluate(
    context: typer.Context,
    run: KnownRun,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="How --corpus is read, where it is unlike the run's own.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[Heldout, typer.Option("--split", help="The part of the corpus.")] = Heldout.test,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="Another corpus, whole: a file such as task.corpus takes.", show_default=False),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Every metric of a trained network on a whole split, and a file with each item. Example: seqlab evaluate last"""
    import seqlab
    from seqlab.cli.evaluation import show_evaluation

    trained = seqlab.load(run, config_dir=config_dir, runs_dir=runs_dir)
    default = corpus is not None and "split" not in _typed(context)
    found = trained.evaluate(*(overrides or []), split=None if default else split.value, corpus=corpus)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show_evaluation(found, terminal())


def _run_or_view(name: str, runs_dir: Path) -> Path:
    """The folder of a run among the words of inspect; a word that is none may be a view with a typing error."""
    from seqlab.config.suggest import nearest
    from seqlab.runs.catalogue import exists, named_run

    try:
        return named_run(name, runs_dir)
    except CheckpointError as error:
        near = nearest(name, ("last", *VIEWS))
        if near and not exists(name) and name != "last":
            raise ConfigError(f"there is no view and no run called '{name}'", f"did you mean {near}?") from error
        raise


@app.command()
def inspect(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [VIEW]...",
            help=f"Runs (folders, `last`, best:char_lm) and views: {', '.join(VIEWS)}. Without a view, all that fit.",
            autocompletion=_complete_word,
            show_default=False,
        ),
    ],
    text: Annotated[
        str | None, typer.Option("--text", help="What to read, for states and attention; else a passage of validation.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", callback=home, help="Where to; else inspect/ in the run, or in --runs-dir for several."),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """See why a trained network behaves as it does. Example: seqlab inspect last

    Pictures, a page that says how to read each, TensorBoard images. Several runs are laid over each other.
    """
    names = [word for word in words if word not in VIEWS]
    if not names:
        raise ConfigError("there is no run to look at", f"name one before the views: seqlab inspect last {words[0]}")
    folders = list(dict.fromkeys(_run_or_view(name, runs_dir) for name in names))
    from seqlab.runs.inspect import inspect as draw

    console = terminal(stderr=True)
    found = draw(
        folders,
        [word for word in words if word in VIEWS],
        text,
        out=out,
        runs_dir=runs_dir,
        config_dir=config_dir,
        say=lambda line: console.print(line, markup=False, highlight=False),
    )
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    for picture in found.pictures:
        typer.echo(f"{found.folder / picture.name}.png   {picture.title}")
    for view, why in found.left_out.items():
        typer.echo(f"no {view}: {why}", err=True)
    typer.echo(f"\npage:  {found.page}\nboard: seqlab board {found.folder}")
