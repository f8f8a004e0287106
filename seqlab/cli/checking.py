"""The command check: does a model meet the contracts on a task?"""

from __future__ import annotations

import json

import typer
from rich.text import Text

from seqlab.cli.app import app, terminal
from seqlab.cli.options import AsJson, ConfigDir, Debug, Overrides
from seqlab.errors import printable


@app.command()
def check(
    overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Check a model and a task against every contract. Example: seqlab check model=mine --config-dir my_configs

    The quick checks also run before each training; this command runs all of them, and continues after a failure.
    """
    from seqlab.config.run import load_run_config

    config = load_run_config(overrides or [], config_dir)
    from dataclasses import asdict

    from seqlab.contracts.check import check_everything

    console, failed, rows = terminal(), 0, []
    names = f"{config.names['model']} on {config.names['task']}"
    for found in check_everything(config.task.build(), config.model, f"model={config.names['model']}"):
        rows.append({**asdict(found), "passed": None if found.unchecked else not found.failure})
        failed += bool(found.failure)
        if as_json:
            continue
        mark = ("failed", "red") if found.failure else ("passed", "green")
        if found.unchecked:
            mark = ("unchecked", "yellow")
        console.print(Text.assemble(mark, f"  {found.part}: {found.contract}"), soft_wrap=True)
        for line in filter(None, (found.failure, found.hint, found.unchecked)):
            console.print(f"        {printable(line)}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps({"model": config.names["model"], "task": config.names["task"], "checks": rows}, indent=2))
    else:
        unchecked = sum(row["passed"] is None for row in rows)
        verdict = f"{failed} of {len(rows)} failed" if failed else f"all {len(rows)} passed"
        if unchecked:
            verdict = f"{failed} of {len(rows)} failed, {unchecked} could not be checked"
        console.print(f"{names}: {verdict}", highlight=False, markup=False)
    if failed:
        raise typer.Exit(2)
