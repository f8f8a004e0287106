"""The command-line program: version, help, and the handling of errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from seqlab.errors import ConfigError, ResourceError, SeqlabError
from seqlab.runs.ended import is_first, is_over, note

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    """Train, compare and explain deep sequence models. For models, tasks and corpora: seqlab list"""


def main() -> None:
    """Run the command line; a SeqlabError is printed in at most three lines and sets the exit code."""
    debug = "--debug" in sys.argv
    if is_over():
        sys.exit(0)
    try:
        code = app(prog_name="seqlab", standalone_mode=False)
    except SeqlabError as error:
        if debug:
            raise
        if (noted := note(error)) is None:
            if is_first() or type(error) is ResourceError:  # others say what this process alone has met
                _complain(error)
            noted = error.exit_code
        code = noted
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C before or after a run
        typer.echo("stopped", err=True)
        code = 130
    except (BrokenPipeError, SystemExit) as end:  # `| head` has closed the pipe
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):  # click's form of it
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        note(error)
        code = _usage(error)
    sys.exit(code or 0)


def _usage(error: Exception) -> int:
    """click's own errors (an unknown option, say) in our style; anything else is a bug, shown with its traceback."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        raise error
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and option is not None:
        _complain(_no_option(option, getattr(error, "ctx", None)))
        return 2
    message = format_message().replace("Value error, ", "")  # a prefix of pydantic's
    if message:  # with an empty message, click has already shown the help
        command = getattr(getattr(error, "ctx", None), "command_path", "seqlab")
        _complain(ConfigError(message[0].lower() + message[1:].rstrip("."), f"see: {command} --help"))
    return 2


def _no_option(option: str, context: Any) -> ConfigError:
    """The error for an unknown option: one of another program, a setting written with dashes, or a typing error."""
    from seqlab.config.suggest import absent, nearest

    command = getattr(context, "command_path", "seqlab")
    word = option.lstrip("-")
    if (none := absent(word.replace("-", "_"))) is not None:
        return ConfigError(f"no such option {option}: {none[0]}", none[1])
    options = [name for parameter in getattr(context.command, "params", ()) for name in parameter.opts]
    near = nearest(word, [name[2:] for name in options if name.startswith("--")])
    takes_settings = any(parameter.name in ("overrides", "words") for parameter in context.command.params)
    if near is None and takes_settings:
        from seqlab.config.compose import settings
        from seqlab.config.sources import GROUPS
        from seqlab.config.suggest import nearest_key

        key = nearest_key(word, [*GROUPS, *settings([])])
        if key is not None:
            return ConfigError(f"no such option {option}", f"settings are written without dashes: {key}=VALUE")
    hint = f"did you mean --{near}?" if near else f"see: {command} --help"
    return ConfigError(f"no such option {option}", hint)


def terminal(*, stderr: bool = False) -> Console:
    """The console of the command line. Text is printed as it is, so that a path in brackets is not taken for markup."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def _complain(error: SeqlabError) -> None:
    console = terminal(stderr=True)
    first, *rest = error.lines()
    label, _, what = first.partition(" ")
    console.print(Text.assemble((f"{label} ", "bold red"), what), soft_wrap=True)
    for line in rest:
        console.print(line, soft_wrap=True)
