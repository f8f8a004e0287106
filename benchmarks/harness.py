"""Measuring A against B: in turns, warmed up, medians, and how busy the machine was.

Each contender is a function in a process of its own, which waits while another's turn is on: allocator, threads and
caches are a process's, and one must not lend them to the other. A ratio is made inside each round, where both saw the
same machine, and the median of those is reported: machines are shared, and the same step may take twice as long an
hour later.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import torch

from benchmarks.tables import markdown
from seqlab.core.files import write_json
from seqlab.training.device import Device

Pace: TypeAlias = "Callable[[], None]"
"""What a contender calls after each step; it returns when the next step may begin."""


Contender: TypeAlias = "Callable[[Pace, Facts], None]"
"""Trains for ever. Must be a function of a module (or functools.partial of one), so that a process can import it."""


class Facts(dict[str, Any]):
    """What a contender reports before its first step: flops_per_token, or flops_per_step, and
    tokens_per_step; where steps differ in tokens, it counts tokens_done instead as it goes."""


class _DoneError(BaseException):
    """The measurement is over; a framework's `except Exception` must not catch it."""


@dataclass(frozen=True)
class Timing:
    """The timing of one contender: medians over the rounds in milliseconds a step, and what it reported."""

    wall: float
    cpu: float
    speeds: tuple[float, ...]  # of each round, tokens (or steps) a second
    peak_bytes: int
    facts: Mapping[str, Any]

    @property
    def speed(self) -> float:
        """Tokens a second, or steps a second if the contender does not count tokens."""
        return statistics.median(self.speeds)


def interleave(
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    seconds: float,
    threads: int,
    checkouts: Mapping[str, Path] | None = None,
    environments: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Timing]:
    """Time `contenders` in turns of about `seconds`; who begins changes from round to round. checkouts: for contenders
    that are to import another checkout's packages in place of this one's. environments: further environment variables
    of contenders, set before torch is loaded."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    facts: dict[str, Any] = {}
    for name, contender in contenders.items():
        pipes[name], there = context.Pipe()
        processes.append(context.Process(target=_serve, args=(there, contender, threads), daemon=True))
        with _importing_from((checkouts or {}).get(name)), _environment((environments or {}).get(name, {})):
            processes[-1].start()
        there.close()
        facts[name] = pipes[name].recv()  # one after the other: a start takes both cores
    results: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in contenders}
    steps = {name: _steps_in(pipes[name], seconds) for name in contenders}
    for turn in range(rounds):
        for name in list(contenders)[:: 1 if turn % 2 else -1]:
            results[name].append(_turn(pipes[name], steps[name]))
    for name, process in zip(contenders, processes, strict=True):
        pipes[name].send(0)
        process.join()
    return {
        name: Timing(
            statistics.median(wall for wall, _, _, _ in found),
            statistics.median(cpu for _, cpu, _, _ in found),
            tuple(speed for _, _, speed, _ in found),
            max(peak for _, _, _, peak in found),
            facts[name],
        )
        for name, found in results.items()
    }


@contextmanager
def _importing_from(checkout: Path | None) -> Iterator[None]:
    """Processes started within import from this checkout first: a new process is given our sys.path."""
    before = sys.path.copy()
    sys.path[:0] = [] if checkout is None else [str(checkout)]
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _turn(pipe: Connection, steps: int) -> tuple[float, float, float, int]:
    """(milliseconds a step, of CPU time a step, tokens a second, peak bytes)."""
    pipe.send(steps)
    wall, cpu, tokens, peak = pipe.recv()
    return 1000 * wall / steps, 1000 * cpu / steps, tokens / wall, peak


def _steps_in(pipe: Connection, seconds: float) -> int:
    """The number of steps that take about `seconds`; also the warm-up."""
    steps, taken = 3, 0.0
    while True:
        taken = _turn(pipe, steps)[0] / 1000
        if taken * steps >= seconds / 2:
            return max(1, round(seconds / taken))
        steps = min(10 * steps, max(1, round(seconds / taken)))


def _serve(pipe: Connection, contender: Contender, threads: int) -> None:
    torch.set_num_threads(threads)
    device = Device(torch.device("cuda" if torch.cuda.is_available() else "cpu"), "fp32", compile=False)
    facts, left, begun = Facts(), 0, (0.0, 0.0, 0.0)

    def wait() -> None:
        nonlocal left, begun
        left = pipe.recv()
        if left == 0:
            raise _DoneError
        # where nobody counts tokens, they are those of the steps of this turn
        tokens = facts.get("tokens_done", -left * facts.get("tokens_per_step", 1))
        begun = time.perf_counter(), time.process_time(), tokens

    def pace() -> None:
        nonlocal left
        if left == 0:  # after the first step, everything that is created lazily exists
            pipe.send(dict(facts))
            wait()
            return
        left -= 1
        if left == 0:
            device.synchronise()
            taken = time.perf_counter() - begun[0], time.process_time() - begun[1]
            pipe.send((*taken, facts.get("tokens_done", 0) - begun[2], device.peak_memory_bytes()))
            wait()

    try:
        contender(pace, facts)
    except _DoneError:
        pipe.close()


def ratios(mine: Timing, theirs: Timing) -> list[float]:
    """The ratio of tokens a second, mine to theirs, round by round."""
    return [a / b for a, b in zip(mine.speeds, theirs.speeds, strict=True)]


def speed_ratio(mine: Timing, theirs: Timing) -> float:
    """The median of `ratios`."""
    return statistics.median(ratios(mine, theirs))


def matrix_product(pace: Pace, facts: Facts) -> None:
    """A contender whose step is one large fp32 product: the machine's peak."""
    size = 2048
    left, right = torch.randn(size, size), torch.randn(size, size)
    facts["flops_per_step"] = 2 * size**3
    while True:
        left @ right
        pace()


def gigaflops(timing: Timing) -> float:
    """GFLOP/s of a contender."""
    each = timing.facts.get("flops_per_token", timing.facts.get("flops_per_step", 0))
    return float(each) * timing.speed / 1e9


# --- what comes out ---------------------------------------------------------------------------------


def machine(threads: int) -> dict[str, Any]:
    """The machine on which the figures were measured."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": name, "cores": os.cpu_count(), "gpu": gpu, "threads": threads,
        "torch": torch.__version__, "python": platform.python_version(), "time": f"{datetime.now():%Y-%m-%d %H:%M}",
    }  # fmt: skip


class Report:
    """The rows of one benchmark, written as they come: a Markdown table and JSON."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        options: argparse.Namespace,
        *,
        keep: bool = True,
        benchmark: str = "harness",
    ) -> None:
        self.benchmark = benchmark  # whose `table` shows it in docs/
        self.name, self.columns, self.options = options.keep_as or name, columns, options
        # some of the rows are no table to keep under the name of all
        self.keep = keep and (not options.only or bool(options.keep_as))
        self.rows: list[dict[str, Any]] = []
        self.load_before = os.getloadavg()[0]
        print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns), flush=True)

    def add(self, *cells: Any) -> None:
        self.rows.append(dict(zip(self.columns, cells, strict=True)))
        print("| " + " | ".join(_shown(cell) for cell in cells) + " |", flush=True)
        self._write("partial.json")  # the next row may take minutes, or fail

    def finish(self) -> None:
        print(f"\n{_conditions(self._write('json'))}")
        (self.options.out / f"{self.name}.partial.json").unlink(missing_ok=True)

    def _write(self, ending: str) -> dict[str, Any]:
        facts = machine(self.options.threads)
        facts |= {"load_before": self.load_before, "load_after": os.getloadavg()[0]}
        found = {"benchmark": self.benchmark, "name": self.name, "machine": facts, "rows": self.rows}
        if self.keep:
            self.options.out.mkdir(parents=True, exist_ok=True)
            write_json(self.options.out / f"{self.name}.{ending}", found)
        return found


def table(found: Mapping[str, Any]) -> str:
    """A stored report's table, for docs/."""
    columns = list(found["rows"][0])
    rows = ([_shown(row[column]) for column in columns] for row in found["rows"])
    return f"{markdown(columns, rows)}\n\n{_conditions(found)}"


def _conditions(found: Mapping[str, Any]) -> str:
    facts = found["machine"]
    where = facts["gpu"] or facts["cpu"]
    load = f"load {facts['load_before']:.1f} before, {facts['load_after']:.1f} after"
    return f"{where}, {facts['threads']} threads, torch {facts['torch']}, {facts['time']}; {load}."


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    made.add_argument("--seconds", type=float, default=1.0, help="of one turn, about")
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="where NAME.json goes")
    made.add_argument("--only", default="", help="rows whose name contains this; they are printed, and not kept")
    made.add_argument("--keep-as", default="", help="another NAME, also for the rows of --only")
    return made
