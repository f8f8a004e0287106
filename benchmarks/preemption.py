"""What checkpoints save where machines take their jobs away: predicted, simulated for a cluster, and seen in a run that
is killed 200 times: `python -m benchmarks preemption [formula] [kills]`.

Interruptions come at random, `mean` seconds apart (exponentially distributed). Every `interval` seconds of work a
checkpoint is written, which takes `save` seconds; after an interruption it takes `restart` seconds until work goes on.
Daly 2006, "A higher order estimate of the optimum checkpoint interval for restart dumps", has the expected time and
the best interval; sqrt(2 save mean) is Young's first-order estimate (1974).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown, parts, save
from seqlab.checkpoints.files import STATE
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.cli import main as program
from seqlab.core.files import read_json
from seqlab.drawing.numbers import number
from seqlab.runs import resume, train

_KILLS, _MEAN, _INTERVAL = 200, 5.0, 2.0
_LOADED = (resume, train)  # before the first fork
_HOUR = 3600.0
_SAVE, _RESTART = 2.0, 60.0  # of the simulated cluster, in seconds
_MEANS = (4 * _HOUR, 24 * _HOUR, 168 * _HOUR)
_INTERVALS = (60.0, 600.0, _HOUR, 4 * _HOUR)
_RUN = (
    "train", "model=lstm", "model.width=64", "model.layers=1", "task.batch_size=8", "device.type=cpu",
    "device.threads=1", "device.precision=fp32", "device.compile=never", "trainer.max_steps=1000000",
    "trainer.log_every_steps=5", "trainer.eval_every_steps=1000000", "trainer.save_every_steps=1000000",
    "trainer.log_pictures=false", "optim.schedule=constant", "--quiet",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """See above; all in seconds."""

    mean: float
    interval: float
    save: float
    restart: float

    def lost(self) -> float:
        """The expected share of time that is no lasting work (Daly 2006)."""
        wall = self.mean * math.exp(self.restart / self.mean)
        wall *= math.expm1((self.interval + self.save) / self.mean)
        return 1 - self.interval / wall

    def best_interval(self) -> float:
        """The interval that loses least, nearly (Daly 2006); sqrt(2 save mean) where saving is quick."""
        if self.save >= 2 * self.mean:
            return self.mean
        ratio = self.save / (2 * self.mean)
        return math.sqrt(2 * self.save * self.mean) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - self.save


def simulated(setting: Setting, work: float, jobs: int, seed: int) -> float:
    """The share of time lost by that many jobs, each with that many seconds of work, second by second as it happens."""
    rng, used = random.Random(seed), 0.0
    for _ in range(jobs):
        done, left = 0.0, rng.expovariate(1 / setting.mean)
        while done < work:
            piece = min(setting.interval, work - done)
            if left >= piece + setting.save:
                used, left, done = used + piece + setting.save, left - piece - setting.save, done + piece
                continue
            used += left  # interrupted: what was not saved is lost, and so is a restart that does not end
            while (left := rng.expovariate(1 / setting.mean)) < setting.restart:
                used += left
            used, left = used + setting.restart, left - setting.restart
    return 1 - jobs * work / used


def formula() -> dict[str, Any]:
    """Predicted and simulated loss, for jobs of a day on a cluster, and the best interval beside each mean."""
    rows = list[dict[str, float]]()
    for mean in _MEANS:
        best = Setting(mean, 1.0, _SAVE, _RESTART).best_interval()
        for interval in (*_INTERVALS, best):
            setting = Setting(mean, interval, _SAVE, _RESTART)
            found = simulated(setting, 24 * _HOUR, 1000, seed=0)
            rows.append({"mean": mean, "interval": interval, "predicted": setting.lost(), "simulated": found})
    return {"rows": rows, "save": _SAVE, "restart": _RESTART}


def kills() -> dict[str, Any]:
    """One run that is killed (SIGKILL) again and again, and what it lost."""
    rng, load = random.Random(0), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        saving = _saving(Path(place) / "undisturbed")
        folder, began = Path(place) / "killed", time.perf_counter()
        starts, drawn, useful = list[float](), list[float](), 0.0
        while len(drawn) < _KILLS:
            drawn.append(rng.expovariate(1 / _MEAN))
            lines = _run(folder, drawn[-1])
            starts += [lines[0][0]] if lines else []
            kept = _kept(folder)
            if kept < useful:
                raise SystemExit(f"work that was saved is gone: {useful:.2f} s of it were kept, now {kept:.2f}")
            useful = kept
        wall = time.perf_counter() - began
    mean, restart = sum(drawn) / len(drawn), sum(starts) / len(starts)
    setting = Setting(mean, _INTERVAL, saving, restart)
    return {
        "kills": _KILLS, "wall": wall, "useful": useful, "mean": mean, "interval": _INTERVAL, "save": saving,
        "restart": restart, "predicted": setting.lost(), "seen": 1 - useful / wall, "load": load,
        "best_interval": setting.best_interval(),
    }  # fmt: skip


def _saving(folder: Path) -> float:
    """Seconds that one checkpoint takes, with the logs of the steps since the last one."""
    lines = _run(folder, 30 * _INTERVAL)
    (first, began), (last, ended) = lines[0], lines[-1]
    trained = ended - began
    return max(0.0, (last - first - trained) / (trained / _INTERVAL))


def _run(folder: Path, seconds: float) -> list[tuple[float, float]]:
    """Start or resume the run, and kill it after that time. Returns, of each time that it was seen to have logged, the
    seconds since its start and its own seconds of training."""
    began, lines = time.perf_counter(), list[tuple[float, float]]()
    if _kept(folder):
        words = ["resume", str(folder), "--quiet"]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        words = [*_RUN, f"trainer.save_every_seconds={_INTERVAL}", "--folder", str(folder)]
    log = folder / "metrics.jsonl"
    before = log.stat().st_size if log.exists() else 0  # bytes
    process = _started(words)
    while (passed := time.perf_counter() - began) < seconds:
        # a resumed run first cuts its log back to its checkpoint
        text = log.read_bytes().rpartition(b"\n")[0] if log.exists() else b""
        if len(text) > before:
            lines.append((passed, json.loads(text.splitlines()[-1])["seconds"]))
        before = len(text)
        time.sleep(min(0.01, seconds - passed))
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"the run ended by itself with {os.waitstatus_to_exitcode(status)}")
    return lines


def _started(words: list[str]) -> int:
    """A fork of this process in which that command line runs: it has torch and the rest of the program already."""
    if process := os.fork():
        return process
    sys.argv = ["seqlab", *words]
    try:
        program()
    finally:
        os._exit(1)


def _kept(folder: Path) -> float:
    """Seconds of training in the newest checkpoint; 0 if there is none."""
    found = checkpoints_in(folder / "checkpoints")
    return float(read_json(found[-1] / STATE)["progress"]["seconds"]) if found else 0.0


PARTS = {"formula": formula, "kills": kills}


def main() -> None:
    """Make the parts that are named, or all."""
    for part in parts(argparse.ArgumentParser(description=__doc__), PARTS).parts:
        save("preemption", part, PARTS[part]())


def table(found: dict[str, Any]) -> str:
    """The simulated cluster by mean time and interval, or the run that was killed."""
    if "rows" in found:
        headings = ("time between interruptions, mean", "checkpoint every", "lost, predicted", "lost, simulated")
        rows = found["rows"]
        cells = [
            (_time(row["mean"]), _time(row["interval"]), f"{row['predicted']:.1%}", f"{row['simulated']:.1%}")
            for row in rows
        ]
        return markdown(headings, cells)
    return markdown(
        ("kills", "seconds between them, mean", "saved every", "a save takes", "a restart takes", "lost, predicted",
         "lost, seen", "load before"),
        [(found["kills"], number(found["mean"]), f"{found['interval']} s", f"{found['save'] * 1000:.0f} ms",
          f"{found['restart']:.2f} s", f"{found['predicted']:.1%}", f"{found['seen']:.1%}", f"{found['load']:.1f}")],
    )  # fmt: skip


def _time(seconds: float) -> str:
    return f"{seconds / _HOUR:.3g} h" if seconds >= _HOUR else f"{seconds / 60:.3g} min"


if __name__ == "__main__":
    main()
