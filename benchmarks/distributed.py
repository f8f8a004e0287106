"""Several processes that train one network: tokens/s against one process of two threads, how far the loss differs from
one process's, and what becomes of killed ones.

`python -m benchmarks distributed [speed] [sizes] [kills]`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown, parts, save

_SHORT = ("trainer.max_steps=150", "trainer.eval_every_steps=50", "trainer.save_every_steps=10")


def _command(folder: Path, overrides: Sequence[str], *more: str) -> list[str]:
    common = ("task=char_lm", "device=cpu", "trainer.log_pictures=false")
    return [sys.executable, "-m", "seqlab", "train", *common, *more, *overrides, "--folder", str(folder), "--quiet"]


def speed(place: Path, overrides: Sequence[str], models: Sequence[str], steps: int, rounds: int) -> dict[str, Any]:
    """Tokens/s of training by model: one process of two threads, and two of one; in turns, the median of each."""
    found: dict[str, Any] = {}
    ways = {"one": ("device.processes=1", "device.threads=2"), "two": ("device.processes=2", "device.threads=1")}
    for model in models:
        paces: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(rounds):
            for way, device in ways.items():
                folder = place / f"{model}-{way}-{turn}"
                limits = (f"trainer.max_steps={steps}", f"trainer.eval_every_steps={steps}")
                subprocess.run(
                    _command(folder, overrides, f"model={model}", *limits, *device),
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                paces[way].append(json.loads((folder / "result.json").read_text())["tokens_per_second"])
        found[model] = {way: statistics.median(values) for way, values in paces.items()} | {"rounds": paces}
    return found


def sizes(place: Path, overrides: Sequence[str], models: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    """The loss of the 100th step by model, way of sharing and number of processes; without dropout."""
    found: dict[str, Any] = {}
    steps = ("trainer.max_steps=100", "trainer.eval_every_steps=100", "trainer.log_every_steps=1", "model.dropout=0")
    for model in models:
        for sharing in ("ddp", "fsdp"):
            for count in counts:
                if count == 1 and sharing == "fsdp":
                    continue
                device = (f"device.processes={count}", f"device.sharding={sharing}", "device.threads=1")
                folder = place / f"{model}-{sharing}-{count}"
                command = _command(folder, overrides, f"model={model}", *steps, *device)
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                (loss,) = [
                    line["train/loss"] for line in _logged(folder) if "train/loss" in line and line["step"] == 100
                ]
                found.setdefault(model, {})[f"{count} {sharing}" if count > 1 else "1"] = loss
    return found


def _logged(folder: Path) -> list[dict[str, Any]]:
    """Every logged figure that does not depend on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds" and not k.startswith("speed/")} for line in lines]


def _child_of_rank(parent: int, rank: int) -> int | None:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            mine = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            if mine and f"RANK={rank}" in (path / "environ").read_text().split("\0"):
                return int(path.name)
        except OSError:  # it has just ended
            continue
    return None


def kills(place: Path, overrides: Sequence[str], count: int, seed: int) -> dict[str, Any]:
    """Runs of two processes, one of which is killed at a random moment of each: how many end as the one undisturbed."""
    device = ("device.processes=2", "device.threads=1", "model=lstm", "model.dropout=0.2", *_SHORT)
    draw = random.Random(seed)
    started = time.monotonic()
    subprocess.run(_command(place / "undisturbed", overrides, *device), check=True, stdout=subprocess.DEVNULL)
    takes, killed, right = time.monotonic() - started, 0, 0
    for number in range(count):
        folder, rank = place / f"killed-{number}", draw.randrange(2)
        process = subprocess.Popen(_command(folder, overrides, *device), stdout=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.2, 0.9) * takes)
        victim = _child_of_rank(process.pid, rank)
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
            killed += 1
        right += process.wait() == 0 and _logged(folder) == _logged(place / "undisturbed")
    return {"runs": count, "killed": killed, "right": right}


def main() -> None:
    """Measure and store what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["lstm", "transformer"])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of every run")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3], help="how many, in sizes")
    options = parts(parser, ("speed", "sizes", "kills"))
    with tempfile.TemporaryDirectory() as place:
        if "speed" in options.parts:
            found = {
                "models": speed(Path(place), options.set, options.models, options.steps, options.rounds),
                "steps": options.steps,
            }
            save("distributed", "speed", found)
            print(table(found))
        if "sizes" in options.parts:
            found = {"losses": sizes(Path(place), options.set, options.models, options.processes), "set": options.set}
            save("distributed", "sizes", found)
            print(table(found))
        if "kills" in options.parts:
            found = kills(Path(place), options.set, options.kills, options.seed)
            save("distributed", "kills", found)
            print(table(found))


def table(found: dict[str, Any]) -> str:
    """The table of docs/scaling.md."""
    if "losses" in found:
        lines = [
            (model, which, f"{loss:.7f}", f"{abs(loss - losses['1']) / losses['1']:.1e}")
            for model, losses in found["losses"].items()
            for which, loss in losses.items()
        ]
        return markdown(("model", "processes", "loss of step 100", "differs from one process's by"), lines)
    if "models" not in found:
        return markdown(("runs of two processes", "processes killed", "ended in the same bits"), [
            (found["runs"], found["killed"], found["right"])
        ])  # fmt: skip
    rows = [
        (model, f"{paces['one']:,.0f}", f"{paces['two']:,.0f}", f"{paces['two'] / paces['one']:.2f}")
        for model, paces in found["models"].items()
    ]
    return markdown(("model", "1 process, 2 threads: tokens/s", "2 processes: tokens/s", "ratio"), rows)


if __name__ == "__main__":
    main()
