"""How the claims of the lecture come out, and how long they take: `seqlab lecture --quick`, with other seeds each time.

`python -m benchmarks lecture [0] [1] [2]` makes these repetitions in runs/lecture-N of the current folder; repetition N
begins with seed 10 N. What is complete there is judged again and not made again, and keeps the minutes that it took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.tables import RESULTS, markdown, parts, save

_REPETITIONS = ("0", "1", "2")


def main() -> None:
    """Make the repetitions that are named, or all, and store each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", nargs="+", default=[], help="these alone, and nothing is stored")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    given = parts(parser, _REPETITIONS)
    for part in given.parts:
        found = _repetition(int(part), given.claims, given.jobs)
        print(json.dumps({name: one["finding"] for name, one in found["claims"].items()}, indent=2), flush=True)
        if not given.claims:
            save("lecture", part, found)


def _repetition(number: int, claims: list[str], jobs: int) -> dict[str, Any]:
    """Every claim once."""
    folder, load, began = Path("runs") / f"lecture-{number}", os.getloadavg()[0], time.time()
    words = [*claims, f"seed={10 * number}", "--quick", "--out", str(folder), "--jobs", str(jobs), "--quiet", "--json"]
    stored = RESULTS / f"lecture-{number}.json"
    known = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else {"claims": {}}
    before, jobs = known["claims"], known.get("jobs", jobs)
    done = subprocess.run([sys.executable, "-m", "seqlab", "lecture", *words], stdout=subprocess.PIPE, check=True)
    found, last = dict[str, Any](), began
    for answer in json.loads(done.stdout):
        ended = (folder / f"{answer['claim']}.json").stat().st_mtime
        evidence = [{key: one[key] for key in ("says", "finding", "why")} for one in answer["evidence"]]
        minutes = max((ended - last) / 60, before.get(answer["claim"], {}).get("minutes", 0.0))
        found[answer["claim"]] = {"finding": answer["finding"], "minutes": round(minutes, 2), "evidence": evidence}
        last = ended
    minutes = max((time.time() - began) / 60, sum(one["minutes"] for one in found.values()))
    return {
        "claims": found,
        "jobs": jobs,
        "minutes": round(minutes, 1),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def table(_: dict[str, Any]) -> str:
    """Every claim, with its verdict in each repetition."""
    paths = {part: RESULTS / f"lecture-{part}.json" for part in _REPETITIONS}
    paths = {part: path for part, path in paths.items() if path.is_file()}
    made = [json.loads(path.read_text(encoding="utf-8")) for path in paths.values()]
    rows = list[list[str]]()
    for name in made[0]["claims"]:
        each = [one["claims"].get(name) for one in made]
        minutes = sorted(one["minutes"] for one in each if one is not None)
        rows.append(
            [name, f"{minutes[len(minutes) // 2]:.1f}", *("" if one is None else one["finding"] for one in each)]
        )
    rows.append(["all", " / ".join(f"{one['minutes']:.1f}" for one in made), *("" for _ in made)])
    seeds = [
        f"seeds from {10 * int(part)}, {one.get('jobs', 1)} at a time" for part, one in zip(paths, made, strict=True)
    ]
    return markdown(["claim", "minutes", *seeds], rows)


if __name__ == "__main__":
    main()
