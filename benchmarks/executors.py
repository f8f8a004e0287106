"""One comparison by each executor: wall times, equal metrics, and kills at random moments that lose and repeat nothing.

`python -m benchmarks executors [alone] [local] [slurm] [ray]`. Every part makes the same comparison, first undisturbed,
then killed again and again (several times over, if it is complete before the last kill). Ray runs on a cluster of three
node processes on loopback, Slurm is submitit's executor for one machine. A kill (SIGKILL) takes a run's process, the
command that watches, or a node process (submitit's controller, a Ray node); a command that has ended is started again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.executors_check import Checked, kill_one
from benchmarks.tables import RESULTS, markdown, parts, save
from seqlab.errors import ConfigError

WORDS = (
    "rnn", "gru", "task=adding", "task.length=50", "task.train_size=2000", "task.validation_size=200",
    "task.test_size=200", "model.width=64", "model.layers=1", "device=cpu", "trainer.eval_every_steps=200",
    "trainer.save_every_steps=10", "trainer.log_pictures=false",
)  # fmt: skip
PARTS = {
    "alone": "one after another", "local": "local, two at a time", "slurm": "submitit on this machine, two at a time",
    "ray": "Ray, three node processes on loopback",
}  # fmt: skip
_NODES = 3
_PAUSES = (1.0, 7.0)  # seconds between two kills
_MOST_SECONDS = 3600.0  # for one killed comparison: something hangs
Kill = Callable[[bytes], bool]
"""Kills one process of the comparison with this name, and says whether there was one."""


def main() -> None:
    """Measure the parts that are named, or all; each is stored as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="of two models")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20, help="in each part; 0: none")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    given = parts(parser, PARTS)
    root = Path(tempfile.mkdtemp(prefix="executors-"))
    words = [*WORDS, f"device.threads={given.threads}", f"trainer.max_steps={given.steps}", "--seeds", str(given.seeds)]
    # the plan is made once and copied, so that no part has to measure
    comparison(words, "plan", root, ["--executor", "script"]).wait()
    digests = set[str]()
    for part in given.parts:
        found = _part(part, words, root, given)
        print(json.dumps(found), flush=True)
        if not given.dry:
            save("executors", part if given.kills else f"undisturbed-{part}-{given.threads}", found)
        digests.add(found["digest"])
    print("all metrics are the same in every byte" if len(digests) == 1 else f"METRICS DIFFER: {root}")
    if len(digests) == 1:
        shutil.rmtree(root)


def _part(part: str, words: Sequence[str], root: Path, given: Any) -> dict[str, Any]:
    """Make the comparison undisturbed, and with kills."""
    load = os.getloadavg()[0]
    with engine(part) as (options, kill_node):
        folder = _planned(root, f"{root.name}-{part}-whole")
        started = time.monotonic()
        code = comparison(words, folder.name, root, options).wait()
        seconds = time.monotonic() - started
        whole = Checked(folder, given.steps)
        if code or whole.complete < whole.runs:
            raise SystemExit(f"exit code {code}: {root / folder.name}.log")
        kills, killed, killed_seconds = Counter[str](), list[Checked](), 0.0
        while kills.total() - kills["starts"] < given.kills:
            folder, started = _planned(root, f"{root.name}-{part}-killed-{len(killed)}"), time.monotonic()
            killed.append(Checked(folder, given.steps))
            _with_kills(words, killed[-1], root, options, kill_node, kills, given)
            killed_seconds += time.monotonic() - started
            killed[-1].read()
    every = [whole, *killed]
    return {
        "steps": given.steps, "run_threads": given.threads, "runs": whole.runs, "seconds": round(seconds, 1),
        "digest": whole.digest, "same_bytes": {one.digest for one in every} == {whole.digest},
        "killed_comparisons": len(killed), "killed_seconds": round(killed_seconds, 1), "kills": dict(kills),
        "lost": sum(one.lost + one.runs - one.complete for one in every), "twice": sum(one.twice for one in every),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }  # fmt: skip


def comparison(words: Sequence[str], name: str, root: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the comparison in root/runs/compare/name."""
    command = [sys.executable, "-m", "seqlab", "compare", *words, "--name", name, *options]
    with (root / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _planned(root: Path, name: str) -> Path:
    """A comparison's folder that has a plan and no run."""
    folder = root / "runs" / "compare" / name
    folder.mkdir(parents=True)
    shutil.copy(folder.parent / "plan" / "plan.json", folder)
    return folder


@contextmanager
def engine(part: str) -> Iterator[tuple[list[str], Kill | None]]:
    """The options of the command, and what kills a node process."""
    if part == "ray":
        os.environ.setdefault("RAY_worker_niceness", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes = [cluster.add_node(num_cpus=1) for _ in range(_NODES - 1)]

        def kill_node(_: bytes) -> bool:
            cluster.remove_node(nodes.pop(random.randrange(len(nodes))), allow_graceful=False)
            nodes.append(cluster.add_node(num_cpus=1))
            return True

        try:
            yield ["--executor", "ray", f"executor.address={cluster.address}"], kill_node
        finally:
            cluster.shutdown()
    elif part == "slurm":
        yield (
            ["--executor", "slurm", "--jobs", "2", "executor.cluster=local"],
            lambda name: kill_one(b"submitit.local._local", name),
        )
    else:
        yield ["--jobs", "2" if part == "local" else "1"], None


def _with_kills(
    words: Sequence[str],
    made: Checked,
    root: Path,
    options: Sequence[str],
    kill_node: Kill | None,
    kills: Counter[str],
    given: Any,
) -> None:
    """Make a comparison while killing. kills: how many of each kind there were so far, and of starts."""
    wanted: dict[str, Kill] = {"run": lambda name: kill_one(b"make", name)}
    if kill_node is not None:
        wanted["node"] = kill_node
    kinds = [*wanted, "command"]  # in turn
    chosen = random.Random(kills.total())
    last = time.monotonic() + _MOST_SECONDS
    process: subprocess.Popen[bytes] | None = None
    while time.monotonic() < last:
        if process is None:
            process = comparison(words, made.folder.name, root, options)
            kills["starts"] += 1
        time.sleep(chosen.uniform(*_PAUSES))
        made.note_results()
        if process.poll() is not None:
            if process.returncode == 0:
                return
            if process.returncode == ConfigError.exit_code:  # such as code that was changed meanwhile
                break
            process = None
        elif (done := kills.total() - kills["starts"]) < given.kills:
            kind = kinds[done % len(kinds)]
            if kind == "command":
                process.kill()
                process.wait()
                process = None
                kills[kind] += 1
            else:
                kills[kind] += wanted[kind](made.name)
    raise SystemExit(f"{made.folder.name} does not end: {root / made.folder.name}.log")


def table(asked: dict[str, Any]) -> str:
    """All parts that were measured, whichever of them was asked for: those with kills, or those without."""
    if not asked["kills"]:
        return _undisturbed(asked)
    rows = list[tuple[object, ...]]()
    digests = list[str]()
    for part, name in PARTS.items():
        path = RESULTS / f"executors-{part}.json"
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        digests.append(found["digest"])
        same = found["same_bytes"] and found["digest"] == digests[0]
        kills = ", ".join(f"{found['kills'].get(kind, 0)} {kind}" for kind in ("run", "command", "node"))
        rows.append(
            (name, f"{found['seconds']:.0f} s", kills, f"{found['killed_seconds']:.0f} s", found["lost"],
             found["twice"], "yes" if same else "no", f"{found['load'][0]} to {found['load'][1]}")
        )  # fmt: skip
    return markdown(
        ("executor", "12 runs take", "killed", "and then take", "lost", "made twice", "same bytes", "load"), rows
    )


def _undisturbed(against: dict[str, Any]) -> str:
    """Wall times, and how many times as quick each way is as the one that was asked for."""
    rows = list[tuple[object, ...]]()
    for path in sorted(RESULTS.glob("executors-undisturbed-*.json")):
        found, part = json.loads(path.read_text(encoding="utf-8")), path.stem.split("-")[2]
        rows.append(
            (PARTS[part], found["run_threads"], f"{found['seconds']:.0f} s",
             f"{against['seconds'] / found['seconds']:.2f}", f"{found['load'][0]} to {found['load'][1]}")
        )  # fmt: skip
    return markdown(("executor", "threads of a run", "12 runs take", "times as quick", "load"), rows)


def absent(_: str) -> str:
    """What docs/ shows until the first part is measured."""
    return "Not measured yet."


if __name__ == "__main__":
    main()
