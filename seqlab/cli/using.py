"""The commands predict, evaluate and inspect, on trained networks."""

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
    """The splits that are not used for training."""

    validation = "validation"
    test = "test"


@app.command()
def predict(
    context: typer.Context,
    run: KnownRun,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts. Without any, lines of stdin are read.", show_default=False),
    ] = None,
    length: Annotated[int, typer.Option("--length", min=1, help="Characters to generate (language models).")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Of sampling: 0 is greedy, above 1 more random.")
    ] = 0.8,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Sample from the k most likely tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Sample from the most likely tokens with this total probability.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of sampling.")] = 0,
    beams: Annotated[int, typer.Option("--beam", help="Beam size (tasks that write a text for an input).")] = 1,
    length_penalty: Annotated[
        float, typer.Option("--length-penalty", help="Of beam search: above 0 favours longer texts.")
    ] = 0.0,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Predict with a trained network. Example: seqlab predict last "The "

    A language model continues the text, a classifier predicts its label, a translation model translates it.

    For tasks that read images or recordings, a text is the path of one.
    """
    from seqlab.runs.catalogue import exists, named_run

    folder = named_run(run, runs_dir)  # before anything slow is imported
    import seqlab
    from seqlab.cli import predicting
    from seqlab.core.prediction import GenerationConfig
    from seqlab.runs.run import check_options

    if not exists(run):
        typer.echo(f"run: {folder}", err=True)
    found = seqlab.load(folder, config_dir=config_dir)
    generation = GenerationConfig(
        length=length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, beams=beams,
        length_penalty=length_penalty,
    )  # fmt: skip
    check_options(found, generation, _typed(context))
    predicting.predict(found, texts or None, generation, as_json=as_json)


def _typed(context: typer.Context) -> dict[str, str]:
    """The options that were given on the command line, by the name of their parameter."""
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
            help="Settings for reading --corpus, if its format differs from the run's own.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[Heldout, typer.Option("--split", help="The split to evaluate on.")] = Heldout.test,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="Evaluate on another file, in the format of task.corpus.", show_default=False),
    ] = None,
    lengths: Annotated[
        list[int] | None,
        typer.Option(
            "--length",
            min=1,
            help="Also on sequences of this length; repeatable. Default: task.eval_lengths.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Evaluate a trained network: every metric, and a file with each item. Example: seqlab evaluate last"""
    from seqlab.runs.catalogue import named_run

    folder = named_run(run, runs_dir)  # before anything slow is imported
    import seqlab
    from seqlab.cli.evaluation import show_evaluation

    trained = seqlab.load(folder, config_dir=config_dir)
    default = corpus is not None and "split" not in _typed(context)
    found = trained.evaluate(
        *(overrides or []), split=None if default else split.value, corpus=corpus, lengths=lengths or ()
    )
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show_evaluation(found, terminal())


def _run_or_view(name: str, runs_dir: Path) -> Path:
    """The folder of a run among the arguments of inspect; an unknown word may be a mistyped view."""
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
            help=f"Runs (folders, names, `last`, best:TASK) and views: {', '.join(VIEWS)}. Default: all that apply.",
            autocompletion=_complete_word,
            show_default=False,
        ),
    ],
    text: Annotated[
        str | None, typer.Option("--text", help="The text for states and attention; default: one from validation.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=home,
            help="The output folder; default: inspect/ in the run, or in --runs-dir for several.",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """See why a trained network behaves as it does. Example: seqlab inspect last

    Draws pictures, a page that explains each, and TensorBoard images. Several runs are drawn in the same pictures.
    """
    names = [word for word in words if word not in VIEWS]
    if not names:
        raise ConfigError("no run is given", f"name one before the views: seqlab inspect last {words[0]}")
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
