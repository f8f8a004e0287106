"""The measurements that need processes: kills, crash points, full disks, many starts. Each returns a Count."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reliability import world
from seqlab.checkpoints.files import read_checkpoint
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.errors import CheckpointError
from seqlab.runs.folder import make_run_folder


@dataclass
class Count:
    """How many of how many cases were right, and what was wrong with the others."""

    right: int = 0
    of: int = 0
    other: int = 0  # tried, and found to be no case
    wrong: list[str] = field(default_factory=list)

    def add(self, right: bool, what: str, number: int = 1) -> None:
        """Count `number` cases."""
        self.of += number
        self.right += number if right else 0
        if not right:
            self.wrong.append(what)


def combinations() -> list[tuple[str, str, str]]:
    """Every model, task and precision."""
    return [(m, t, p) for m in world.MODELS for t in world.TASKS for p in world.PRECISIONS]


def _reference(model: str, task: str, precision: str, here: Path) -> tuple[list[str], dict[str, str], float]:
    """(overrides, the outcome of an undisturbed run, how long it took)."""
    words = world.overrides(model, task, f"device.precision={precision}")
    folder = here / f"{model}-{task}-{precision}"
    if not folder.exists():
        started = time.monotonic()
        ended = world.run(world.begin(folder, words))
        assert ended.code == 0, ended.said
        (here / f"{folder.name}.seconds").write_text(str(time.monotonic() - started))
    return words, world.outcome(folder), float((here / f"{folder.name}.seconds").read_text())


def random_kills(here: Path, kills: int, seed: int) -> Count:
    """SIGKILL at random moments, from the first file on, until `kills` processes died of it; each run is resumed until
    it ends, and must then equal the undisturbed one."""
    rng, count, number = random.Random(seed), Count(), 0
    while count.of < kills:
        model, task, precision = rng.choice(combinations())
        words, expected, seconds = _reference(model, task, precision, here)
        folder, died = here / f"killed-{number}", 0
        number += 1
        while True:
            # killed often enough to end late, and seldom enough to end
            child = world.fork(world.go_on(folder, words))
            if count.of + died < kills and died < 20:
                world.kill_after(child, rng.uniform(0.0, 1.5) * seconds)
            ended = world.wait(child)
            if ended.code != -9:
                break
            died += 1
        different = _different(folder, expected, ended)
        count.add(not different, f"{model} {task} {precision}: {different}", died)
        shutil.rmtree(folder)
    return count


def _different(folder: Path, expected: dict[str, str], ended: world.Ended) -> str:
    if ended.code != 0:
        return f"exit {ended.code}: {ended.said[-300:]}"
    got = world.outcome(folder)
    return ", ".join(key for key in expected if got[key] != expected[key])


_SAVE = 5  # the one that is disturbed: it discards a checkpoint as well


def crash_points(here: Path, models: tuple[str, ...]) -> Count:
    """SIGKILL before every file operation of a save and of its retention."""
    library, count = world.injector(), Count()
    assert library is not None, "start this with the injector preloaded"
    for model in models:
        words, expected, _ = _reference(model, "char_lm", "fp32", here)
        operations = _operations(here, words, 0)
        for at in range(1, operations + 1):
            folder = here / "crash"
            with world.armed_saves(library, _SAVE, 1, at, here / "operations"):
                ended = world.run(world.begin(folder, words))
            whole = all(_loads(checkpoint) for checkpoint in checkpoints_in(folder / "checkpoints"))
            again = world.run(world.go_on(folder, words))
            different = _different(folder, expected, again)
            count.add(
                ended.code == -9 and whole and not different,
                f"{model}, operation {at} of {operations}: killed {ended.code == -9}, whole {whole}, {different}",
            )
            shutil.rmtree(folder)
    return count


def _operations(here: Path, words: list[str], mode: int) -> int:
    """The number of file operations in that save, counted in an undisturbed run."""
    library, folder = world.injector(), here / "counted"
    assert library is not None
    with world.armed_saves(library, _SAVE, mode, 10**9, here / "operations"):
        ended = world.run(world.begin(folder, words))
    assert ended.code == 0, ended.said
    shutil.rmtree(folder)
    return int((here / "operations").read_text())


def _loads(checkpoint: Path) -> bool:
    try:
        read_checkpoint(checkpoint)
    except CheckpointError:
        return False
    return True


def full_disks(here: Path, sizes: int) -> Count:
    """A disk that is full at each operation of a save that would need room (once, and from there on), and files that
    may not grow beyond `sizes` different limits (RLIMIT_FSIZE): exit 6 that names what is kept, and what was kept
    goes on to the same end."""
    library, count = world.injector(), Count()
    assert library is not None, "start this with the injector preloaded"
    words, expected, _ = _reference("lstm", "char_lm", "fp32", here)
    folder = here / "full"
    for mode in (2, 3):
        for at in range(1, _operations(here, words, 2) + 1):
            with world.armed_saves(library, _SAVE, mode, at, here / "operations"):
                ended = world.run(world.begin(folder, words))
            _judge_full_disk(count, folder, words, expected, ended, f"ENOSPC at {at} (mode {mode})")
    largest = max(path.stat().st_size for path in (here / "lstm-char_lm-fp32").rglob("*") if path.is_file())
    for step in range(sizes):
        limit = largest * step // sizes
        body = world.begin(folder, words)
        ended = world.run(_limited(body, limit))
        _judge_full_disk(count, folder, words, expected, ended, f"files of {limit} bytes at most")
    count.add(4 * count.other <= count.of, f"{count.other} sites did not fail at all", 0)
    return count


def small_disks(here: Path, sizes: int) -> Count:
    """The same on real file systems that are too small, enlarged before the run is resumed. Needs root on Linux."""
    count, disk = Count(), here / "disk"
    words, expected, _ = _reference("lstm", "char_lm", "fp32", here)
    used = sum(path.stat().st_size for path in (here / "lstm-char_lm-fp32").rglob("*"))
    disk.mkdir()
    for number in range(sizes):
        # from room for the first checkpoint to nearly enough
        kilobytes = int(used * (0.95 + 0.35 * number / sizes)) // 1024 // 4 * 4
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", disk], check=True)
        try:
            ended = world.run(world.begin(disk / "run", words))
            subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
            _judge_full_disk(count, disk / "run", words, expected, ended, f"a disk of {kilobytes} kB")
        finally:
            subprocess.run(["umount", disk], check=True)
    return count


def _limited(body: Callable[[], object], limit: int) -> Callable[[], object]:
    """From the third checkpoint on; until then files may grow."""

    def limit_it(number: int) -> None:
        if number == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def limited() -> object:
        with world.around_saves(limit_it, lambda _: None):
            return body()

    return limited


def _judge_full_disk(
    count: Count, folder: Path, words: list[str], expected: dict[str, str], ended: world.Ended, what: str
) -> None:
    there = checkpoints_in(folder / "checkpoints")
    whole = bool(there) and all(_loads(checkpoint) for checkpoint in there)
    told = ended.code == 6 and " MB" in ended.said and "kept step" in ended.said and "Traceback" not in ended.said
    again = world.run(world.go_on(folder, words))
    different = _different(folder, expected, again)
    if ended.code == 0 and not different:  # there was room enough, or what failed was not needed: no site
        count.other += 1
        shutil.rmtree(folder)
        return
    count.add(
        told and whole and not different, f"{what}: exit {ended.code}, {ended.said[-300:]!r}, {whole}, {different}"
    )
    shutil.rmtree(folder)


def concurrent_starts(here: Path, rounds: int, at_once: int = 20) -> Count:
    """Processes that request a folder of the same name at the same moment; two with one folder are a collision."""
    count = Count()
    for number in range(rounds):
        parent, gate = here / f"starts-{number}", time.monotonic() + 0.2
        answers = [here / f"answer-{index}" for index in range(at_once)]

        def start(answer: Path, parent: Path = parent, gate: float = gate) -> None:
            while time.monotonic() < gate:
                pass
            answer.write_text(str(make_run_folder(parent, "20260101-120000-s0", None)))

        children = [world.fork(lambda answer=answer: start(answer)) for answer in answers]  # type: ignore[misc]
        ended = [world.wait(child).code for child in children]
        made = [answer.read_text() for answer in answers]
        for index, folder in enumerate(made):
            count.add(made.count(folder) == 1 and ended[index] == 0, f"{folder} was given {made.count(folder)} times")
    return count
