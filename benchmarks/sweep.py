"""A search that is killed again and again: the same trials and the same best as one that was left alone?

`python -m benchmarks sweep [--trials 40] [--kills 5]`. Both searches are of tiny models, with pruning. Each kill is
SIGKILL of the process that searches, at a random moment, and every other one also of the run that it makes. Between two
kills, the same command is started again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import tables

_LINE = "the quick brown fox jumps over the lazy dog, and the dog barks.\n"
_LOCKED = 7  # the exit code while the last run of a killed search is still ending
WORDS = (
    "model=rnn,gru", "optim.learning_rate=tag(log,interval(1e-4,1))", "model.width=range(8,33,8)",
    "model.dropout=interval(0,0.4)", "model.layers=1", "task.window=16", "task.batch_size=8", "task.sample_length=20",
    "trainer.max_steps=60", "trainer.eval_every_steps=10", "trainer.save_every_steps=20", "trainer.log_pictures=false",
    "optim.warmup_steps=5", "device=cpu", "device.threads=1",
)  # fmt: skip


def main() -> None:
    """Search once undisturbed and once with kills, compare, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        (here / "corpus.txt").write_text(_LINE * 60, encoding="utf-8")
        started = time.monotonic()
        _finish(here, "whole", given.trials)
        whole_seconds, started = time.monotonic() - started, time.monotonic()
        repeated = _killed(here, given.trials, given.kills, random.Random(given.seed))
        killed_seconds = time.monotonic() - started
        whole, killed = (_trials(here / "runs" / "sweep" / name) for name in ("whole", "killed"))
        best = [_summary(here / "runs" / "sweep" / name)["best"] for name in ("whole", "killed")]
    outcomes = [trial["outcome"] for trial in whole]
    found = {
        "trials": given.trials,
        "kills": given.kills,
        "outcomes": {name: outcomes.count(name) for name in dict.fromkeys(outcomes)},
        "same_trials": sum(one == other for one, other in zip(whole, killed, strict=True)),
        "same_best": best[0] == best[1],
        "best": best[0],
        "complete_runs_repeated": repeated,
        "whole_seconds": round(whole_seconds),
        "killed_seconds": round(killed_seconds),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }
    tables.save("sweep", "killed", found)
    print(json.dumps(found, indent=2))


def _start(here: Path, name: str, trials: int) -> subprocess.Popen[bytes]:
    options = ["task.corpus=corpus.txt", "--search", "optuna", "--trials", str(trials), "--name", name, "--quiet"]
    command = [sys.executable, "-m", "seqlab", "sweep", *WORDS, *options]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _finish(here: Path, name: str, trials: int) -> None:
    """Start it until it is no longer locked, and wait for its end."""
    while True:
        process = _start(here, name, trials)
        _, said = process.communicate()
        if process.returncode == 0:
            return
        if process.returncode != _LOCKED:
            raise SystemExit(f"exit code {process.returncode}: {said.decode()}")
        time.sleep(1)


def _killed(here: Path, trials: int, kills: int, draw: random.Random) -> int:
    """A search with so many kills, spread over its trials; returns how many complete runs were made again."""
    folder = here / "runs" / "sweep" / "killed"
    results: dict[Path, int] = {}
    for kill, after in enumerate(sorted(draw.sample(range(1, trials), kills))):
        while True:
            process = _start(here, "killed", trials)
            while process.poll() is None and len(list(folder.glob("trial-*"))) <= after:
                time.sleep(0.05)
            if process.poll() != _LOCKED:
                break
            time.sleep(1)
        time.sleep(draw.uniform(0, 8))
        if process.poll() is not None:
            raise SystemExit(f"it ended before it was killed: {process.communicate()[1].decode()}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        process.kill()
        for child in children if kill % 2 else ():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        process.communicate()
        for path in folder.glob("trial-*/result.json"):
            results.setdefault(path, path.stat().st_mtime_ns)
    _finish(here, "killed", trials)
    return sum(path.stat().st_mtime_ns != time_ns for path, time_ns in results.items())


def _trials(folder: Path) -> list[dict[str, Any]]:
    """The list of trials, without what no two runs share."""
    lines = (folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def _summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def table(found: dict[str, Any]) -> str:
    """What docs/ shows."""
    outcomes = ", ".join(f"{count} {name}" for name, count in found["outcomes"].items())
    rows = [
        ("trials", f"{found['trials']} ({outcomes})"),
        ("kills", found["kills"]),
        ("trials that are the same, to the last bit of every validation", found["same_trials"]),
        ("the same best, with the same test figure", "yes" if found["same_best"] else "no"),
        ("complete runs made again", found["complete_runs_repeated"]),
    ]
    how = f"--trials {found['trials']} --kills {found['kills']}"
    return tables.markdown(("what", "found"), rows) + f"\n\n`python -m benchmarks sweep {how}`."
