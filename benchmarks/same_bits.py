"""Does another checkout give the same bits? `python -m benchmarks same_bits OTHER` with the path of that checkout.

Both checkouts train the same commands for some steps: every family on every task that both have, and other settings of
the families. Runs that the other checkout trained for half of the steps are resumed by this one. Weights, optimizer
state, logged losses, all figures of the result and the sampled text must be equal in every bit, and tensors must keep
their names, so that stored runs can be resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from seqlab.config.compose import settings
from seqlab.config.sources import group_files

STEPS = 8
SMALL = {"model.width": 32, "model.feed_forward": 64, "model.layers": 2, "task.pairs": 600, "task.sample_length": 40}
OTHERS = (
    *(f"model=transformer task=char_lm model.positions={kind}" for kind in ("sinusoidal", "learned", "none")),
    "model=lstm task=translation model.attention=additive",
    "model=gru task=translation model.attention=none",
    "model=lstm task=char_lm trainer.bptt_steps=16 trainer.accumulate=2 trainer.clip_value=0.01",
    "model=gru task=sentiment task.bidirectional=false",
)
_NOT_FIGURES = ("seconds", "tokens_per_second", "peak_memory_bytes", "folder", "warnings")


def main() -> None:
    """One line for each command; exit code 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout, with the same packages")
    parser.add_argument("--only", default="", help="commands that contain this")
    options = parser.parse_args()
    other, here = options.other.resolve(), Path(__file__).parent.parent
    commands = [f"model={model} task={task}" for task in in_both("task", other) for model in in_both("model", other)]
    different = False
    with tempfile.TemporaryDirectory() as place:
        for number, command in enumerate(text for text in (*commands, *OTHERS) if options.only in text):
            words, root = _words(command), Path(place) / str(number)
            theirs, ours = root / "theirs", root / "ours"
            _seqlab(other, "train", *words, f"trainer.max_steps={STEPS}", "--folder", theirs / "whole")
            _seqlab(here, "train", *words, f"trainer.max_steps={STEPS}", "--folder", ours / "whole")
            half = f"trainer.max_steps={STEPS // 2}"
            _seqlab(other, "train", *words, half, f"optim.horizon_steps={STEPS}", "--folder", theirs / "half")
            _seqlab(other, "resume", theirs / "half", f"trainer.max_steps={STEPS}", copy=theirs / "resumed")
            _seqlab(here, "resume", theirs / "half", f"trainer.max_steps={STEPS}", copy=ours / "resumed")
            found = [
                f"{what}: {difference}"
                for what in ("whole", "resumed")
                for difference in differences(theirs / what, ours / what)
            ]
            different |= bool(found)
            print(f"{'differs' if found else 'same'}: {command}", *found[:5], sep="\n  ", flush=True)
    sys.exit(int(different))


def in_both(group: str, other: Path) -> list[str]:
    """The models or tasks that the other checkout has, too."""
    return [name for name in group_files(group, None) if (other / "configs" / group / f"{name}.yaml").exists()]


def _words(command: str) -> list[str]:
    given = command.split()
    there = settings(given)
    small = [f"{key}={value}" for key, value in SMALL.items() if key in there]
    return [*given, *small, "device=cpu", "device.threads=1", "device.precision=fp32", "trainer.eval_every_steps=4",
            "trainer.log_every_steps=1"]  # fmt: skip


def _seqlab(checkout: Path, *words: object, copy: Path | None = None) -> None:
    """The command as that checkout knows it; with `copy`, on a copy of the run that it names."""
    command = [str(word) for word in words]
    if copy is not None:
        shutil.copytree(command[1], copy)
        command[1] = str(copy)
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "seqlab", *command, "--quiet"], env=environment, check=True, cwd=checkout,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def differences(a: Path, b: Path) -> list[str]:
    """The differences between two runs."""
    found = []
    tensors = [safetensors.torch.load_file(newest(run) / "tensors.safetensors") for run in (a, b)]
    if tensors[0].keys() != tensors[1].keys():
        found.append(f"tensors of one alone: {', '.join(sorted(tensors[0].keys() ^ tensors[1].keys()))}")
    for name in tensors[0].keys() & tensors[1].keys():
        if not torch.equal(tensors[0][name], tensors[1][name]):
            found.append(f"tensor {name}")
    for name in ("result.json", "test_items.json"):
        one, other = (json.loads((run / name).read_text(encoding="utf-8")) for run in (a, b))
        if isinstance(one, dict):  # what only this checkout writes is new, and no bit is another
            other = {key: other.get(key) for key in one}
        if plain(one) != plain(other):
            found.append(name)
    lines = [[plain(json.loads(line)) for line in (run / "metrics.jsonl").open(encoding="utf-8")] for run in (a, b)]
    if lines[0] != lines[1]:
        found.append("metrics.jsonl")
    if (a / "samples.txt").read_text(encoding="utf-8") != (b / "samples.txt").read_text(encoding="utf-8"):
        found.append("samples.txt")
    return found


def newest(run: Path) -> Path:
    """The last checkpoint."""
    return max((run / "checkpoints").glob("step-*"))


def plain(node: Any) -> Any:
    """Without times, machine and paths."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()
                if key not in _NOT_FIGURES and not key.startswith("speed/")}  # fmt: skip
    return [plain(value) for value in node] if isinstance(node, list) else node


if __name__ == "__main__":
    main()
