"""lecture."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_claim
from seqlab.cli.options import AsJson, Background, ConfigDir, Debug, Executor, Jobs, Quiet, Submit, home
from seqlab.drawing.numbers import clock
from seqlab.errors import ConfigError

if TYPE_CHECKING:  # torch takes seconds, and a list needs none; pydantic is not for --help
    from seqlab.lecture.claim import Claim, Finding, Speed
    from seqlab.lecture.lecture import Answer

_STYLES: dict[Finding, str] = {"holds": "bold green", "does not hold": "bold red", "cannot be told": "bold yellow"}


@app.command()
def lecture(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CLAIM|KEY=VALUE]...",
            help="Claims by name, and overrides for all of their runs. Default: every claim.",
            autocompletion=complete_claim,
            show_default=False,
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small runs, three seeds: half an hour in all.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Longer runs, five seeds: overnight.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the claims.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", callback=home, help="The folder of its runs and its page.",
            show_default="runs/lecture",
        ),
    ] = None,
    config_dir: ConfigDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and how long it takes.")] = False,
    executor: Executor = "local",
    jobs: Jobs = None,
    submit: Submit = False,
    background: Background = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Try the claims of the lecture on this machine. Example: seqlab lecture

    Each is answered: holds here, does not hold here, or cannot be told with this much. The same command resumes.
    """
    from seqlab.executors.execution import read_execution
    from seqlab.lecture.read import read_claims

    if quick and full:
        raise ConfigError("--quick and --full", "leave one of them out")
    speed: Speed = "full" if full else "quick"
    given, execution = read_execution(words or [], executor, jobs, submit=submit, background=background)
    names = tuple(word for word in given if "=" not in word)
    overrides = [word for word in given if "=" in word]
    claims = read_claims(names, config_dir)
    if listed:
        _list(claims, speed, as_json=as_json)
        return
    from seqlab.cli.comparison_display import TerminalReporter
    from seqlab.cli.plan_display import show_plan
    from seqlab.lecture.lecture import planned, prepare, run_lecture, submitted

    prepared = prepare(claims, speed, overrides, out, config_dir)
    folder = next(iter(prepared[0].folders.values())).parent
    if dry_run:
        for one in prepared:
            for key, plan in planned(one, elsewhere=execution.is_elsewhere).items():
                typer.echo(f"{one.name}, {key}:")
                show_plan(plan, terminal())
        return
    options = {"--full": full, "--out": out, "--config-dir": config_dir}
    said = [
        str(part) for key, value in options.items() if value for part in ((key,) if value is True else (key, value))
    ]
    command = shlex.join(["seqlab", "lecture", *given, *said])
    if submit and execution.needs_process:  # one process for all, one after the other
        waiting = {"folder": str(folder), "pending": submitted(prepared, command, execution)}
        typer.echo(json.dumps(waiting, indent=2) if as_json else waiting["pending"])
        return
    answers, page = run_lecture(
        prepared, folder, command, TerminalReporter(terminal(stderr=True), quiet=quiet), execution,
        lambda answer: None if as_json else _show(answer),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps([answer.as_json() for answer in answers], indent=2, ensure_ascii=False))
    else:
        typer.echo(f"\nthe lecture: {page}")


def _list(claims: dict[str, Claim], speed: Speed, *, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "name": name, "title": claim.title, "statement": claim.statement, "source": claim.source,
                "minutes": {"quick": claim.minutes.quick, "full": claim.minutes.full}, "expected": claim.expected,
            }
            for name, claim in claims.items()
        ]  # fmt: skip
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    console = terminal()
    for name, claim in claims.items():
        minutes = claim.minutes.quick if speed == "quick" else claim.minutes.full
        console.print(Text.assemble((name, "cyan"), f"  {claim.title}"), soft_wrap=True)
        takes = f"    about {clock(60 * minutes)}, one run at a time; came out as: {claim.expected}"
        console.print(Text(takes, style="dim"), soft_wrap=True)
    total = sum(claim.minutes.quick if speed == "quick" else claim.minutes.full for claim in claims.values())
    whole = f"all of them: at most {clock(60 * total)}, since claims share runs"
    console.print(Text(f"\nseqlab lecture NAME tries one, seqlab lecture {whole}", style="dim"))


def _show(answer: Answer) -> None:
    """The verdict on a claim, and each piece of evidence."""
    if answer.pending:
        typer.echo(f"{answer.prepared.name}: {answer.pending}")
        return
    from seqlab.lecture.claim import TAGS

    console = terminal()
    console.print()
    console.print(Text.assemble((answer.prepared.claim.title, "bold"), "  "), end="")
    console.print(Text(TAGS[answer.finding], style=_STYLES[answer.finding]))
    for one in answer.judged:
        console.print(Text(f"  {one.evidence.says}: {TAGS[one.finding]}", style=_STYLES[one.finding].split()[1]))
        console.print(Text(f"    {one.why}", style="dim"))
