"""How hard it is to lose work: kills, full disks, damage, wrong and hostile input, counted.

    python -m benchmarks.reliability            # the sizes of the test suite, some minutes
    python -m benchmarks.reliability --long     # those of docs/reliability.md, about half an hour
    python -m benchmarks.reliability --only crash_points --only save_times

Needs Linux and a C compiler; small disks are mounted where it may. Prints a table in Markdown; exits 1 if anything was
not as it should be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.reliability import inputs, rounds, states, world
from benchmarks.reliability.rounds import Count
from seqlab.runs.environment import environment

_SEED = 0


def measurements(here: Path, *, long: bool) -> dict[str, tuple[str, Callable[[], Count]]]:
    """The measurements by name: a line of the table, and the function that counts."""
    models = world.MODELS if long else ("lstm",)
    optimizers = ("adamw", "sgd", "rmsprop") if long else ("adamw",)
    found = {
        "random_kills": (
            "random SIGKILLs survived, bit-identical at the end",
            lambda: rounds.random_kills(here, 1000 if long else 50, _SEED),
        ),
        "crash_points": (
            f"enumerated crash points in a save ({', '.join(models)})",
            lambda: rounds.crash_points(here, models),
        ),
        "resume_points": (
            f"resume points bit-identical (model x task x precision x {', '.join(optimizers)})",
            lambda: states.resume_points(here, optimizers, 29 if long else 12, None if long else 100),
        ),
        "omissions": (
            "omissions noticed (each saved item taken out, or left as in a fresh process)",
            lambda: states.omissions(here),
        ),
        "damages": ("bit flips and truncations caught", lambda: states.damages(here, 1000, _SEED)),
        "full_disks": (
            "disk-full sites (ENOSPC once and lasting, RLIMIT_FSIZE): clear error, resumes from the last checkpoint",
            lambda: rounds.full_disks(here, 24 if long else 6),
        ),
        "bad_inputs": ("bad inputs: one clear error, no traceback", lambda: inputs.bad_inputs(here)),
        "hostile_files": ("hostile files and names, canary untouched", lambda: inputs.hostile_files(here)),
        "concurrent_starts": (
            "concurrent starts, each with a folder of its own",
            lambda: rounds.concurrent_starts(here, 10),
        ),
    }
    if os.geteuid() == 0:
        small = lambda: rounds.small_disks(here, 20 if long else 5)  # noqa: E731
        found["small_disks"] = ("runs on file systems that are too small, resumed once there is space", small)
    return found


def preloaded() -> None:
    """Restart this program with the injector preloaded, unless it is already."""
    if world.injector() is not None:
        return
    folder = Path(tempfile.mkdtemp(prefix="injector-"))
    library, source = folder / "injector.so", Path(__file__).with_name("injector.c")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    again = [sys.executable, "-m", "benchmarks.reliability", *sys.argv[1:]]
    os.execve(sys.executable, again, {**os.environ, "LD_PRELOAD": str(library)})


def main() -> int:
    """Make the requested measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--saves", type=int, default=100, help="saves of a large model to time; 0: none")
    arguments = parser.parse_args()
    preloaded()
    world.import_everything()
    here = Path(tempfile.mkdtemp(prefix="reliability-"))
    world.corpora(here)
    os.chdir(here)
    wrong: list[str] = []
    machine = environment("")
    print(
        f"commit {machine['git_commit']}, {machine['cpu']}, {machine['cpu_count']} cores, {machine['platform']}, ",
        end="",
    )
    print(f"Python {machine['python']}, torch {machine['packages']['torch']}, seed {_SEED}\n")
    print("| figure | right | of | seconds |\n| --- | ---: | ---: | ---: |", flush=True)
    known = measurements(here, long=arguments.long)
    for name in (name for name in arguments.only or known if name != "save_times"):
        about, measure = known[name]
        started = time.monotonic()
        count = measure()
        print(f"| {about} | {count.right:,} | {count.of:,} | {time.monotonic() - started:.0f} |", flush=True)
        wrong += [f"{name}: {what}" for what in count.wrong]
    if arguments.saves and (not arguments.only or "save_times" in arguments.only):
        times = states.save_times(here, arguments.saves)
        print(
            f"\nA save of {times['parameters'] / 1e6:.1f} M parameters ({times['megabytes']:.0f} MB): median "
            f"{times['median']:.2f} s, 95th percentile {times['p95']:.2f} s over {arguments.saves}; a step takes "
            f"{times['step']:.2f} s, so that saving takes {100 * times['share']:.1f} % of the time."
        )
    shutil.rmtree(here)
    for what in wrong:
        print(f"WRONG {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
