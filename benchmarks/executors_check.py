"""What kills must not do to the runs of a comparison, counted; and the kills."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
from pathlib import Path

from seqlab.runs.folder import read_result

_OF_STEPS = ("step", "tokens", "train/", "val/", "test/", "optim/")


class Checked:
    """The runs of a comparison, as they are at the last `read`.

    runs, complete: how many there are. lost: those that lack a step or have them in disorder. twice: steps, ends and
    whole runs that were made again though they were stored. digest: of every metric and test item.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self.steps = folder, steps
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        self._folders = [folder / one["label"] / f"seed-{seed}" for one in plan["variants"] for seed in plan["seeds"]]
        self._results: dict[Path, int] = {}
        self.runs = len(self._folders)
        self.read()

    @property
    def name(self) -> bytes:
        """Its folder's name, as command lines have it."""
        return os.fsencode(self.folder.name)

    def note_results(self) -> None:
        """Remember which runs are complete: none of these may be made again."""
        for run in self._folders:
            if (path := run / "result.json").exists():
                self._results.setdefault(path, path.stat().st_mtime_ns)

    def read(self) -> None:
        """Count."""
        digest, self.complete, self.lost, self.twice = hashlib.sha256(), 0, 0, 0
        for run in self._folders:
            result = read_result(run)
            if result is None:
                continue
            self.complete += 1
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
            trained = [line["step"] for line in lines if "train/loss" in line]
            self.lost += not trained or trained[-1] != self.steps or trained != sorted(trained)
            self.twice += len(trained) != len(set(trained))
            self.twice += (run / "train.log").read_text(encoding="utf-8").count(" finished: ") != 1
            metrics = [{key: value for key, value in line.items() if key.startswith(_OF_STEPS)} for line in lines]
            digest.update(json.dumps([metrics, result["test"], result["validation"]], sort_keys=True).encode())
            digest.update((run / "test_items.json").read_bytes() if (run / "test_items.json").exists() else b"")
        self.twice += sum(path.stat().st_mtime_ns != before for path, before in self._results.items())
        self.digest = digest.hexdigest()


def kill_one(*words: bytes) -> bool:
    """Kill one of the processes that have all these words in their command line. Returns whether there was one."""
    paths = list(Path("/proc").glob("[0-9]*/cmdline"))
    random.shuffle(paths)
    for path in paths:
        try:
            line = path.read_bytes()
            if all(word in line for word in words):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return True
        except OSError:
            continue
    return False
