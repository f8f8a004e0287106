"""One comparison by each executor: wall times, equal metrics, and kills at random moments that lose and repeat nothing.

The plan is made once and copied, so that all executors make the same runs. Ray runs on a cluster of three node
processes on loopback, Slurm is submitit's executor for one machine. A kill takes a run's process, the command that
watches, or a node process (submitit's controller, a Ray node); a command that has ended is started again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import machine
from seqlab.core.files import write_json
from seqlab.runs.folder import read_result

WORDS = (
    "rnn", "gru", "task=adding", "task.train_size=2000", "task.validation_size=200", "task.test_size=200", "device=cpu",
    "trainer.save_every_steps=10", "trainer.log_pictures=false",
)  # fmt: skip
NODES = 3
_NAMES = ("one after another", "local --jobs 2", "slurm, submitit on this machine", "ray, three nodes on loopback")
_OF_STEPS = ("step", "tokens", "train/", "val/", "test/", "optim/")
Kill = Callable[[], object]


def main() -> None:
    """Measure, and write executors.json."""
    given = _arguments()
    root = Path(tempfile.mkdtemp(prefix="executors-"))
    words = [*WORDS, f"device.threads={given.threads}", f"trainer.max_steps={given.steps}", "--seeds", str(given.seeds)]
    _command(words, "plan", root, "--executor", "script").wait()
    rows = []
    for name in given.only or _NAMES:
        with _executor(name) as (options, kill_node):
            row: dict[str, Any] = {"executor": name}
            for part in ("whole", "killed") if given.kills else ("whole",):
                folder = _planned(root, f"{_NAMES.index(name)}-{part}")
                started = time.monotonic()
                if part == "whole":
                    row["exit code"] = _command(words, folder.name, root, *options).wait()
                    row["seconds"] = time.monotonic() - started
                else:
                    row["kills"] = _with_kills(words, folder, root, options, kill_node, given)
                row[part] = _checked(folder, given.steps)
            rows.append(row)
            print(json.dumps(row), flush=True)
    digests = {row[part]["digest"] for row in rows for part in ("whole", "killed") if part in row}
    found = {
        "benchmark": "executors", "machine": machine(given.threads), "load": os.getloadavg()[0], "steps": given.steps,
        "same bytes": len(digests) == 1, "rows": rows,
    }  # fmt: skip
    write_json(given.out / "executors.json", found)
    print("all metrics are the same in every byte" if len(digests) == 1 else f"METRICS DIFFER: {root}")
    if len(digests) == 1:
        shutil.rmtree(root)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="of two models")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20, help="in each executor; 0: none")
    parser.add_argument("--only", action="append", choices=_NAMES, help="this executor; may be repeated")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def _command(words: Sequence[str], name: str, root: Path, *options: str) -> subprocess.Popen[bytes]:
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
def _executor(name: str) -> Iterator[tuple[list[str], Kill | None]]:
    """The options of the command, and what kills a node process."""
    if name.startswith("ray"):
        os.environ.setdefault("RAY_worker_niceness", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes = [cluster.add_node(num_cpus=1) for _ in range(NODES - 1)]

        def kill_node() -> None:
            cluster.remove_node(nodes.pop(random.randrange(len(nodes))), allow_graceful=False)
            nodes.append(cluster.add_node(num_cpus=1))

        try:
            yield ["--executor", "ray", f"executor.address={cluster.address}"], kill_node
        finally:
            cluster.shutdown()
    elif name.startswith("slurm"):
        options = ["--executor", "slurm", "--jobs", "2", "executor.cluster=local"]
        yield options, lambda: _kill_one(lambda words: b"submitit.local._local" in words)
    else:
        yield ["--jobs", "2" if name.endswith("2") else "1"], None


def _with_kills(
    words: Sequence[str], folder: Path, root: Path, options: Sequence[str], kill_node: Kill | None, given: Any
) -> dict[str, int]:
    """Make the comparison with that many kills. Returns how many of each kind there were, and of starts."""
    counts = {"run": 0, "command": 0, "node": 0, "starts": 1}
    kinds = ["run", "command", *(["node"] if kill_node is not None else [])]
    chosen = random.Random(0)
    process = _command(words, folder.name, root, *options)
    while True:
        time.sleep(chosen.uniform(1.0, 8.0))
        if process.poll() is not None:
            if process.returncode == 0:
                return counts
            process = _command(words, folder.name, root, *options)
            counts["starts"] += 1
        elif sum(counts[kind] for kind in kinds) < given.kills:
            kind = kinds[chosen.randrange(len(kinds))]
            if kind == "command":
                process.kill()
                process.wait()
            elif kind == "node" and kill_node is not None:
                kill_node()
            elif not _kill_one(lambda words: b"make" in words and os.fsencode(folder.name) in words):
                continue
            counts[kind] += 1


def _kill_one(is_meant: Callable[[bytes], bool]) -> bool:
    """Kill one of the processes whose command line is meant."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if is_meant(path.read_bytes()):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return True
        except OSError:
            continue
    return False


def _checked(folder: Path, steps: int) -> dict[str, Any]:
    """How many runs are complete, what was lost or made twice, and a digest of every metric."""
    digest, complete, lost, twice = hashlib.sha256(), 0, 0, 0
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    runs = [folder / variant["label"] / f"seed-{seed}" for variant in plan["variants"] for seed in plan["seeds"]]
    for run in runs:
        result = read_result(run)
        complete += result is not None
        if result is None:
            continue
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        trained = [line["step"] for line in lines if "train/loss" in line]
        lost += trained[-1] != steps or trained != sorted(trained)
        twice += len(trained) != len(set(trained))
        twice += (run / "train.log").read_text(encoding="utf-8").count(" finished: ") != 1
        metrics = [{key: value for key, value in line.items() if key.startswith(_OF_STEPS)} for line in lines]
        digest.update(json.dumps([metrics, result["test"], result["validation"]], sort_keys=True).encode())
        digest.update((run / "test_items.json").read_bytes() if (run / "test_items.json").exists() else b"")
    return {"runs": len(runs), "complete": complete, "lost": lost, "twice": twice, "digest": digest.hexdigest()}


if __name__ == "__main__":
    main()
