"""The command line: parse, call one function, print. Nothing here imports torch until it is needed."""

from __future__ import annotations

import json
import os
import sys
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from seqlab.completion import complete_override, complete_word
from seqlab.errors import ConfigError, SeqlabError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="What differs from the defaults: model=gru task=sentiment trainer.max_steps=500",
        autocompletion=complete_override,
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option("--config-dir", help="A folder with your own model/, task/, ... YAML files, searched first."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where to look.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from seqlab import __version__

        typer.echo(f"seqlab {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train and compare deep sequence models: rnn, lstm, gru and transformer on three tasks."""


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The run's folder name instead of the time.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The run's whole folder, which must be new; runs_dir has no say.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, build the network, do not train.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train one model on one task. Example: seqlab train model=lstm task=char_lm"""
    from seqlab.config.run import load_run_config

    given = overrides or []
    if name is not None and folder is not None:
        raise ConfigError("--name and --folder both say where the run goes", "keep one of them")
    config = load_run_config(given, config_dir)
    from seqlab import experiment
    from seqlab.report import show_plan, show_result

    if dry_run:
        show_plan(config, Console(), as_json=as_json)
        return
    result = experiment.train(config, Console(stderr=True), overrides=given, name=name, folder=folder, quiet=quiet)
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_result(result, Console(), given, config_dir)


@app.command()
def resume(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, or one of its checkpoints/step-* to go back to.", show_default=False
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="What extends the run: trainer.max_steps=2000",
            autocompletion=complete_override,
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Train the last interval once more and compare every bit; write nothing.")
    ] = False,
    config_dir: ConfigDir = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Go on with a run as if it had never stopped. Example: seqlab resume runs/char_lm/lstm/NAME"""
    if verify and overrides:
        raise ConfigError(f"--verify and {overrides[0]}: nothing can change in what is verified", "leave one out")
    from seqlab import resume as resuming
    from seqlab import verify as verifying
    from seqlab.report import show_result
    from seqlab.run_folder import read_overrides, resume_command

    console = Console(stderr=True)
    if verify:
        start, end = verifying.verify(run, console, config_dir=config_dir)
        said: dict[str, Any] = {"from": start, "to": end, "bit_equal": True}
        typer.echo(json.dumps(said) if as_json else f"steps {start} to {end} trained once more: every bit is the same")
        return
    result = resuming.resume(run, overrides or [], console, config_dir=config_dir, quiet=quiet)
    if isinstance(result, resuming.Finished):
        if as_json:
            typer.echo((result.folder / "result.json").read_text(encoding="utf-8"), nl=False)
        else:
            more = resume_command(result.folder, config_dir, result.more)
            typer.echo(f"{result.folder} is finished, at step {result.step}; to go on: {more}")
    elif as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_result(result, Console(), read_overrides(result.folder), config_dir)


@app.command()
def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL|RUN|KEY=VALUE...",
            help="A model (rnn), a run (runs/char_lm/rnn/NAME), an override for all (task=sentiment), or, in quotes, "
            'a model with overrides of its own ("lstm model.layers=2", with a name: "deep: lstm model.layers=2").',
            autocompletion=complete_word,
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Runs of each model.")] = 3,
    match: Annotated[
        str | None, typer.Option("--match", metavar="PART=N", help="Bring all to one size: body=500k or params=500k.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="AMOUNT", help="Train each for 60s, 2Mtokens, 1e14flop or 1000steps."),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option("--tune", metavar="KEY=N", help="First search a setting for each, on validation: lr=5."),
    ] = None,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The comparison's folder in runs/compare.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan: runs, sizes, budget, time.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Which model is better, and is that sure? Example: seqlab compare rnn transformer

    Trains each with the same seeds and data and says which differences are shown. Started again, it goes on.
    """
    from seqlab.comparison.request import read_request

    given = words or []
    request = read_request(given, seeds=seeds, budget=budget, match=match, tune=tune)
    from seqlab.comparison import compare as comparison
    from seqlab.comparison.display import show_plan, show_summary
    from seqlab.comparison.summary import as_json as plain

    if dry_run:
        plan = comparison.plan_only(request, config_dir, name)
        if as_json:
            typer.echo(json.dumps(plan.as_json(), indent=2, ensure_ascii=False))
        else:
            show_plan(plan, Console())
        return
    options: dict[str, object] = {
        "seeds": seeds,
        "match": match,
        "budget": budget,
        "tune": tune,
        "config-dir": config_dir,
        "name": name,
    }
    command = comparison.shown_command(given, options)
    done = comparison.compare(
        request, Console(stderr=True), config_dir=config_dir, name=name, quiet=quiet, command=command
    )
    if done.summary is not None and as_json:
        typer.echo(json.dumps({"folder": str(done.folder), **plain(done.summary)}, indent=2, ensure_ascii=False))
    elif as_json:
        typer.echo(json.dumps({"folder": str(done.folder), "rows": []}, indent=2))
    elif done.summary is not None:
        show_summary(done.summary, Console())
        typer.echo(f"\nreport:   {done.folder / 'report.html'}")
        typer.echo(f"curves:   seqlab board {done.folder}")
    if done.failed:
        failed = "; ".join(f"{label}, seed {seed}: {why}" for (label, seed), why in done.failed.items())
        typer.echo(f"{len(done.failed)} of the runs failed; the same command tries them again: {failed}", err=True)
        raise typer.Exit(1)


runs_app = typer.Typer(help="The runs that are there, best first.")
app.add_typer(runs_app, name="runs")
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Of this task only.")] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="time, model, seconds, parameters, or a metric.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The runs that are there, best first. Example: seqlab runs --task char_lm"""
    if context.invoked_subcommand is not None:
        return
    from seqlab.runs import find_runs, sort_runs
    from seqlab.runs_display import show_runs

    everything, damaged = find_runs(runs_dir)
    tasks = sorted({run.task for run in everything})
    if task is not None and task not in tasks and everything:
        raise ConfigError(f"--task {task}: no run in {runs_dir} is on it", "", f"tasks: {', '.join(tasks)}")
    found = sort_runs([run for run in everything if task in (None, run.task)], sort)
    if as_json:
        typer.echo(json.dumps([run.as_json() for run in found], indent=2, ensure_ascii=False))
    else:
        show_runs(found, runs_dir, Console(), sort)
    for what in damaged:
        typer.echo(f"left out: {what}", err=True)


@runs_app.command("show")
def runs_show(run: Run, as_json: AsJson = False, debug: Debug = False) -> None:
    """One run: settings, figures, what it wrote."""
    from seqlab.runs import read_run_files
    from seqlab.runs_display import run_as_json, show_run

    found = read_run_files(run)
    if as_json:
        typer.echo(json.dumps(run_as_json(found), indent=2, ensure_ascii=False))
    else:
        show_run(found, Console())


@runs_app.command("diff")
def runs_diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run's folder.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another's.", show_default=False)],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What differs between two runs: settings and figures."""
    from seqlab.runs import differences, read_run_files
    from seqlab.runs_display import show_differences

    first, second = read_run_files(a), read_run_files(b)
    if as_json:
        figures = differences(*({"test": (run.result or {}).get("test", {})} for run in (first, second)))
        changed = {"config": differences(first.config, second.config), "figures": figures}
        typer.echo(json.dumps(changed, indent=2, ensure_ascii=False))
    else:
        show_differences(first, second, Console())


KnownRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's folder, `last`, or the best on a task: best:char_lm.", show_default=False
    ),
]


@app.command()
def predict(
    run: KnownRun,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Without any, lines are read.", show_default=False)
    ] = None,
    length: Annotated[int, typer.Option("--length", min=1, help="Characters that a language model writes.")] = 200,
    temperature: Annotated[float, typer.Option("--temperature", help="Below 1: likelier, above: wilder.")] = 0.8,
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
    from seqlab.runs import named_run

    folder = named_run(run, runs_dir)
    from seqlab import predict as predicting
    from seqlab.interfaces import Asking

    how = Asking(
        length=length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, beams=beams,
        length_penalty=length_penalty,
    )  # fmt: skip
    given = texts or predicting.asked(sys.stdin.isatty())
    predicting.predict(folder, given, how, config_dir=config_dir, as_json=as_json)


VIEWS = ("gradient", "memory", "states", "attention", "bottleneck", "embedding", "confusion", "errors")


class Heldout(StrEnum):
    """The splits that a network was not trained on."""

    validation = "validation"
    test = "test"


@app.command()
def evaluate(
    run: KnownRun,
    split: Annotated[Heldout, typer.Option("--split", help="The part of the corpus.")] = Heldout.test,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Every metric of a trained network on a whole split, and a file with each item. Example: seqlab evaluate last"""
    from seqlab.runs import named_run

    folder = named_run(run, runs_dir)
    from seqlab.evaluate import evaluate_run, show_evaluation

    found = evaluate_run(folder, split.value, config_dir)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show_evaluation(found, Console())


@app.command()
def inspect(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [VIEW]...",
            help=f"Runs (folders, `last`, best:char_lm) and views: {', '.join(VIEWS)}. Without a view, all that fit.",
            show_default=False,
        ),
    ],
    text: Annotated[
        str | None, typer.Option("--text", help="What to read, for states and attention; else a test passage.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to; else inspect/ in the run, or in --runs-dir for several.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """See why a trained network behaves as it does. Example: seqlab inspect last

    Pictures, a page that says how to read each, TensorBoard images. Several runs are laid over each other.
    """
    from seqlab.runs import named_run

    names = [word for word in words if word not in VIEWS]
    if not names:
        raise ConfigError("there is no run to look at", f"name one before the views: seqlab inspect last {words[0]}")
    for name in names:
        meant = get_close_matches(name, ("last", *VIEWS), 1)
        if meant and name != "last" and not Path(name).exists():
            raise ConfigError(f"there is no view and no run called '{name}'", f"did you mean {meant[0]}?")
    folders = [named_run(name, runs_dir) for name in names]
    from seqlab.insight.inspect import inspect as draw

    console = Console(stderr=True)
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


@app.command()
def board(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Whose runs to show.")] = Path("runs"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 0,
    debug: Debug = False,
) -> None:
    """Start TensorBoard on the runs and print its address."""
    from seqlab.board import show_board

    show_board(folder, port)


@app.command()
def config(overrides: Overrides = None, config_dir: ConfigDir = None, debug: Debug = False) -> None:
    """Print the composed config: every setting with its value."""
    from seqlab.config.run import load_run_config

    typer.echo(load_run_config(overrides or [], config_dir).yaml, nl=False)


@app.command("list")
def list_options(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|tasks|corpora|experiments|devices]", show_default=False)
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what there is to choose from."""
    from seqlab.catalogue import catalogue

    found = catalogue(config_dir)
    if what is not None and what not in found:
        raise ConfigError(f"there is nothing called '{what}' to list", allowed=f"list: {', '.join(found)}")
    chosen: dict[str, Any] = found if what is None else {what: found[what]}
    if as_json:
        typer.echo(json.dumps(chosen, indent=2, ensure_ascii=False))
        return
    console = Console()
    for heading, entries in chosen.items():
        console.print(f"[bold]{heading}[/]")
        width = max((len(entry) for entry in entries), default=0)
        for entry, about in entries.items():
            console.print(f"  [cyan]{entry:<{width}}[/]  {about}", highlight=False)


def main() -> None:
    """Run the command line; every SeqlabError becomes at most three lines and its exit code."""
    debug = "--debug" in sys.argv
    try:
        code = app(prog_name="seqlab", standalone_mode=False)
    except SeqlabError as error:
        if debug:
            raise
        _complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C before or after a run
        typer.echo("stopped", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _usage(error)
    sys.exit(code or 0)


def _usage(error: Exception) -> int:
    """click's own complaints (an unknown option, say) in our style; anything else is a bug and is shown whole."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        raise error
    message = format_message()
    if message:  # without words click has shown the help already
        _complain(ConfigError(message[0].lower() + message[1:].rstrip("."), "see: seqlab --help"))
    return 2


def _complain(error: SeqlabError) -> None:
    console = Console(stderr=True)
    first, *rest = error.lines()
    label, _, what = first.partition(" ")
    console.print(f"[bold red]{label}[/]", end=" ")
    for line in (what, *rest):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
