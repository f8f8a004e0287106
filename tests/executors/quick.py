"""Runs that take no time: a real process with the files, the lock, the signals and the exit codes of a run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from seqlab.executors.job import Job

_PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
from seqlab.runs.lock import wait_until_free, locked
folder, steps, fails = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if sys.argv[4:]:
    os.sched_setaffinity(0, map(int, sys.argv[5].split(",")))
wait_until_free(folder, 30)
if (folder / "result.json").exists():
    sys.exit()
with locked(folder):
    with (folder / "starts").open("a") as file:
        file.write(f"{os.getpid()} {len(os.sched_getaffinity(0))} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}\\n")
    (folder / "overrides.txt").write_text("seed=0\\n")
    (folder / "config.yaml").touch()
    log = folder / "metrics.jsonl"
    step = log.read_text().count("\\n") if log.exists() else 0
    def stop(number, frame):
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    while step < steps:
        step += 1
        if step == fails:
            print("error: out of memory\\ntry less\\nkept nothing", file=sys.stderr)
            sys.exit(6)
        with log.open("a") as file:
            file.write(json.dumps({"step": step}) + "\\n")
        time.sleep(0.05)
    result = dict.fromkeys(("primary", "validation", "test", "metrics", "seconds"), steps)
    (folder / ".result").write_text(json.dumps(result))
    (folder / ".result").rename(folder / "result.json")
"""


@dataclass
class QuickJob(Job):
    """steps: of a twentieth of a second. fails: the step at which it ends with an error."""

    steps: int = 3
    fails: int = 0

    def command(self, *options: str) -> list[str]:
        about = [str(self.folder), str(self.steps), str(self.fails)]
        return [sys.executable, "-P", "-c", _PROGRAM, *about, *(o for o in options if o != "--with-parent")]

    def starts(self) -> list[list[str]]:
        """Of each process that worked on it: its id, the number of its cores, its GPUs."""
        return [line.split(" ") for line in (self.folder / "starts").read_text().splitlines()]


def quick(root: Path, count: int, steps: int = 3, fails: int = 0, *overrides: str) -> list[QuickJob]:
    """So many runs in `root`."""
    return [
        QuickJob("run", 0, root / f"run-{index}", overrides, None, steps=steps, fails=fails) for index in range(count)
    ]
