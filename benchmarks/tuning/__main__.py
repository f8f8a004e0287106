"""One search, the same for every family on every task; writes benchmarks/results/tuning.json and configs/tuned."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.tuning import search as searching
from benchmarks.tuning import space
from benchmarks.tuning.configs import file_name, tuned_yaml
from seqlab.config.sources import group_files
from seqlab.core.files import write_json

TOP = Path(__file__).parent.parent.parent
RESULTS = TOP / "benchmarks" / "results" / "tuning.json"


def main() -> None:
    """Search what is requested and missing, storing each result as it comes; or write configs/tuned."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(group_files("task", None)))
    parser.add_argument("--models", nargs="*", default=list(group_files("model", None)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="families at once, one core each")
    parser.add_argument("--write", action="store_true", help="only write configs/tuned from what was found")
    parser.add_argument("--again", action="store_true", help="search also what was found before")
    given = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    if not given.write:
        known = _search(given, {} if given.again else known.get("found", {}))
    for found in known["found"].values():
        (TOP / "configs" / "tuned" / file_name(found)).write_text(tuned_yaml(found), encoding="utf-8")


def _search(given: argparse.Namespace, found: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "command": "python -m benchmarks tuning",
        "torch": torch.__version__,
        "seed": given.seed,
        "first": [asdict(draw) for draw in space.FIRST],
        "near": list(searching.NEAR),
        "centres": searching.CENTRES,
        "body": space.BODY,
        "learning_rate": list(space.LEARNING_RATE),
        "layers": list(space.LAYERS),
        "dropout": list(space.DROPOUT),
        "warmup_steps": list(space.WARMUP_STEPS),
    }
    wanted = [(model, task) for task in given.tasks for model in given.models if f"{task}/{model}" not in found]
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = [pool.submit(searching.search, model, task, given.seed) for model, task in wanted]
        for done in as_completed(made):
            one = done.result()
            found[f"{one['task']}/{one['model']}"] = one
            RESULTS.parent.mkdir(exist_ok=True)
            write_json(RESULTS, {**facts, "found": dict(sorted(found.items()))})
            words, reached = " ".join(one["chosen"]["overrides"]), one["chosen"]["validation"]
            print(f"{one['task']} {one['model']}: {words} -> {reached} ({one['minutes']} min)", flush=True)
    return {**facts, "found": dict(sorted(found.items()))}


if __name__ == "__main__":
    main()
