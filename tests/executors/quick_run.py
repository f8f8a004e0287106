"""What tests/executors/quick.py runs: FOLDER STEPS FAILS OVERRIDES [--cores N,N | --with-parent N]."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from seqlab.executors.carried import end_with_parent
from seqlab.runs.lock import locked, wait_until_free


def main() -> None:
    """Make one run."""
    folder, steps, fails = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if sys.argv[5:6] == ["--cores"]:
        os.sched_setaffinity(0, map(int, sys.argv[6].split(",")))
    elif sys.argv[5:]:
        end_with_parent(int(sys.argv[6]))
    wait_until_free(folder, 60)
    if (folder / "result.json").exists():
        return
    with locked(folder):
        _run(folder, steps, fails)


def _run(folder: Path, steps: int, fails: int) -> None:
    with (folder / "starts").open("a") as file:
        file.write(f"{os.getpid()} {len(os.sched_getaffinity(0))} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}\n")
    (folder / "overrides.txt").write_text("".join(f"{word}\n" for word in json.loads(sys.argv[4])))
    (folder / "config.yaml").touch()
    log = folder / "metrics.jsonl"
    step = log.read_text().count("\n") if log.exists() else 0
    signal.signal(signal.SIGTERM, _stop)
    while step < steps:
        step += 1
        if step == fails:
            print("error: out of memory\ntry less\nkept nothing", file=sys.stderr)
            sys.exit(6)
        with log.open("a") as file:
            file.write(json.dumps({"step": step}) + "\n")
        time.sleep(0.05)
    result = dict.fromkeys(("primary", "validation", "test", "metrics", "seconds"), steps)
    (folder / ".result").write_text(json.dumps(result))
    (folder / ".result").rename(folder / "result.json")


def _stop(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


main()
