"""The terminal output of a dry run and of a result."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from seqlab.cli.display import metric_lines
from seqlab.config.run import RunConfig
from seqlab.config.sources import group_files
from seqlab.drawing.numbers import clock, compact, described
from seqlab.errors import printable, printable_lines
from seqlab.runs.result import Result, task_warnings
from seqlab.runs.setup import budgets, count_parameters, prepare
from seqlab.training.device import resolve_device, without_slow_parts


def show_plan(config: RunConfig, console: Console, *, as_json: bool) -> None:
    """Print what a run would do: check the config, read the corpus, build the network and count its parameters."""
    device = resolve_device(config.device, deterministic=config.deterministic)
    task, network = prepare(config, device)
    device = without_slow_parts(device, config.device, network)
    parts: Counter[str] = Counter()
    for name, parameter in network.named_parameters():
        parts[name.partition(".")[0]] += parameter.numel()
    surprises = budgets(config, task, network)
    plan = {
        "model": config.names["model"],
        "task": config.names["task"],
        "data": dict(task.describe()),
        "warnings": list(task_warnings(task)),
        "budgets": surprises,
        "parameters": count_parameters(network),
        "parameters_by_part": dict(parts),
        "device": device.name,
        "precision": device.precision,
    }
    if as_json:
        console.print_json(json.dumps(plan, ensure_ascii=False))
        return
    shares = ", ".join(f"{name} {count:,}" for name, count in parts.items())
    for line in (
        f"{plan['model']} on {plan['task']}, {device.name} {device.precision}: nothing was trained",
        *(f"  {key}: {value}" for key, value in described(task.describe()).items()),
        f"  parameters: {count_parameters(network):,} ({shares})",
        *(f"  note: {text}" for text in surprises),
    ):
        _print(line, console)
    _show_warnings(task_warnings(task), console)


def _print(line: str, console: Console) -> None:
    """Print a line without markup and with control characters escaped."""
    console.print(Text(printable(line)), soft_wrap=True)


def _show_warnings(warnings: Iterable[str], console: Console) -> None:
    for warning in warnings:
        line = Text.assemble("  ", ("warning: ", "bold yellow"), printable(warning))
        console.print(line, soft_wrap=True)


def _board_folder(result: Result) -> Path:
    """runs/ for a run in its usual place, so that it is shown with the others; else the run's own folder."""
    above = list(result.folder.parents)
    usual = len(above) > 2 and (above[0].name, above[1].name) == (result.model, result.task)
    return above[2] if usual else result.folder


def _next_after(model: str, models: Iterable[str]) -> str:
    """The model that comes after this one; the first after the last."""
    others = [other for other in models if other != model]
    return next((other for other in others if other > model), others[0])


def show_result(result: Result, console: Console, overrides: list[str], config_dir: Path | None) -> None:
    """Print the test figures, a sample, and commands to try next."""
    console.print()
    for line in metric_lines(result.metrics, result.primary, result.test_interval, split="test "):
        console.print(line)
    _show_warnings(result.remarks, console)
    if known := sum(warning not in result.remarks for warning in result.warnings):
        _show_warnings([f"{known} about the data, shown before training"], console)
    _print("  95 %: over test items, for this one seed", console)
    _print(
        f"  {result.steps} steps in {clock(result.seconds)}, {compact(result.tokens_per_second)} tokens/s, "
        f"best at step {result.best_step}",
        console,
    )
    console.print()
    if result.sample:
        _print(f"sample of {result.model}:", console)
        console.print(Padding(Text(printable_lines(result.sample)), (0, 0, 0, 2)))
        console.print()
    _print(f"see it:   {shlex.join(['seqlab', 'board', str(_board_folder(result))])}", console)
    own = ["--config-dir", str(config_dir)] if config_dir is not None else []
    _print(f"see why:  {shlex.join(['seqlab', 'inspect', str(result.folder), *own])}", console)
    # settings of this model would be an error with another one
    words = [o for o in overrides if not o.lstrip("+~").startswith(("model", "init_from"))]
    rest = shlex.join([*words, *own])
    other = _next_after(result.model, group_files("model", config_dir))
    _print(f"try next: seqlab train model={other} {rest}".rstrip(), console)
