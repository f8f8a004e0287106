"""The comparisons of docs/results.md, made in the current folder's runs/; complete runs are not repeated."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from benchmarks.runs import MODELS
from benchmarks.tables import RESULTS, markdown, parts, save
from seqlab.comparison.statistics import Difference, tested
from seqlab.comparison.verdict import verdict
from seqlab.config.overrides import spelled
from seqlab.config.sources import group_files
from seqlab.drawing.numbers import compact, number

_POSITIONS = ("rope", "sinusoidal", "learned", "none")
_TASKS = tuple(group_files("task", None))
_FEWER = {  # of the families, so that a comparison takes less than an hour
    "forecast": ["gru", "lstm", "mingru", "transformer"],
    "speech": ["rnn", "lstm", "gru", "transformer"],
}
PARTS: dict[str, list[str]] = {
    **{task: [*_FEWER.get(task, MODELS), f"task={task}", "--seeds", "5"] for task in _TASKS},
    "forecast-taylor": [
        "gru", "lstm", "task=forecast", "task.corpus=taylor_demand", "task.horizon=48", "task.residual=336",
        "--seeds", "5",
    ],
    **{
        f"positions-{task}": [
            *(f"{kind}: transformer model.positions={kind}" for kind in _POSITIONS), f"task={task}", "--seeds", "3",
        ]
        for task in _TASKS
    },
    "captioning": [
        "lstm", "fixed vector: lstm model.attention=none", "gru", "transformer", "task=captioning", "model.width=128",
        "trainer.max_steps=4000", "device.threads=1", "--tune", "lr=0.0005,0.002", "--seeds", "3",
    ],
    "budget": ["lstm", "transformer", "--budget", "60s", "--seeds", "1"],
    "newer-families": [
        "lstm", "gru", "transformer", "mingru", "ssm", "--match", "body=500k", "--budget", "60s", "device.threads=1",
        "--tune", "lr=0.003,0.01", "--seeds", "5",
    ],
    "windows": ["random: transformer", "streams: transformer task.windows=streams", "--seeds", "3"],
}  # fmt: skip


def main() -> None:
    """Make the requested comparisons, or all, and store their summaries in benchmarks/results."""
    for part in parts(argparse.ArgumentParser(description=__doc__), PARTS).parts:
        save("compare", part, comparison(PARTS[part]))


def comparison(words: list[str], *, runs_may_fail: bool = False) -> dict[str, Any]:
    """One comparison: the command, its minutes, the load before it, and its summary. Exits if it fails, or if one of
    its runs fails and none may."""
    load, started = os.getloadavg()[0], time.perf_counter()
    command = [sys.executable, "-m", "seqlab", "compare", *words, "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode and not (runs_may_fail and done.stdout):
        raise SystemExit(done.returncode)
    summary = json.loads(done.stdout)
    here, runs = time.perf_counter() - started, (summary["time"] or {}).get("taken_seconds", 0.0)
    minutes = max(here, runs) / 60  # for runs made in an earlier sitting, theirs alone
    return {"shown": f"seqlab compare {shlex.join(words)}", "minutes": minutes, "load": load, "summary": summary}


def _baselines(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The baselines of `benchmarks baselines`, which are computed more often than the runs; else the stored ones, as
    for another corpus than the task's own."""
    summary: dict[str, Any] = found["summary"]
    path = RESULTS / f"baselines-{summary['task']}.json"
    if "task.corpus=" in found["shown"] or not path.exists():
        stored: list[dict[str, Any]] = summary["baselines"]
        return stored
    computed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return computed


def table(found: dict[str, Any]) -> str:
    """The models, the baselines, the verdicts, and the settings that differ."""
    summary = found["summary"]
    metric = summary["metric"]["name"]
    name = summary["metric"]["unit"] or metric
    # the same metric on other items, such as combinations that training does not have
    variants = [figure for figure in summary["rows"][0].get("figures", ()) if figure.startswith(f"{metric}_")]
    headings = (
        "model", f"test {name}", "95 %", *variants, "body / all parameters", "training s", "s to target", "tokens/s",
        "FLOPs a token", "MiB", "state, bytes", "writes, tokens/s",
    )  # fmt: skip
    baselines = (
        (f"{base['name']} ({base['about']})", *_figures(base["test"], (metric, "", *variants)), *[""] * 8)
        for base in _baselines(found)
    )
    labels = [row["label"] for row in summary["rows"]]
    settings = (
        (key, *(_plain(values.get(label, "")) for label in labels)) for key, values in summary["settings"].items()
    )
    sections = (
        f"`{found['shown']}`: {found['minutes']:.1f} minutes (load before: {found['load']:.1f})",
        markdown(headings, [*(_cells(row, variants) for row in summary["rows"]), *baselines]),
        f"Shared target: validation {name} {number(summary['target'])}. Verdicts, {summary['condition']}:",
        "\n".join(f"- {text}" for text in _verdicts(summary)),
        "\n".join(f"- note: {note}" for note in summary["notes"]),
        markdown(("setting", *labels), settings),
    )
    return "\n\n".join(filter(None, sections))


def _verdicts(summary: dict[str, Any]) -> list[str]:
    """The sentences that today's `seqlab compare` makes from these figures."""
    known = {field.name for field in fields(Difference)}
    pairs = [Difference(**{key: value for key, value in pair.items() if key in known}) for pair in summary["pairs"]]
    unit = summary["metric"]["unit"] or summary["metric"]["name"].replace("_", " ")
    best = summary.get("against_baseline")
    return [*(verdict(pair, unit, tested(pairs)) for pair in pairs), *([best] if best else [])]


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else spelled(value)


def _figures(found: dict[str, float], names: Iterable[str]) -> list[str]:
    return [number(found[name]) if name in found else "" for name in names]


def _cells(row: dict[str, Any], variants: Iterable[str]) -> tuple[str, ...]:
    state, speed = row["state_bytes"], row["generated_per_second"]
    return (
        f"{row['label']}{' *' if row['pareto'] else ''}",
        number(row["mean"]),
        "" if row["interval"] is None else " to ".join(map(number, row["interval"])),
        *_figures(row.get("figures", {}), variants),
        f"{row['parameters']['body']:,} / {row['parameters']['all']:,}",
        f"{row['training_seconds']:.0f}",
        f"{row['seconds_to_target']:.0f}",
        compact(row["tokens_per_second"]),
        compact(row["flops_per_token"]),
        f"{row['peak_memory_bytes'] / 2**20:.0f}",
        "" if state is None else f"{state:,}",
        "" if speed is None else compact(speed),
    )


if __name__ == "__main__":
    main()
