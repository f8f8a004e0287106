"""`seqlab reproduce`: the comparison that repeats a published experiment, and the verdicts."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.comparison import background
from seqlab.comparison.compare import compare, plan_only
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan
from seqlab.comparison.reporter import ComparisonReporter
from seqlab.comparison.request import Request
from seqlab.comparison.summary import Summary
from seqlab.config.overrides import key_of
from seqlab.core.files import write_json
from seqlab.executors.execution import Execution
from seqlab.reproduction.needs import check_needs
from seqlab.reproduction.outcome import Outcome, outcome
from seqlab.reproduction.page import above
from seqlab.reproduction.published import Reproduction
from seqlab.reproduction.read import read_reproduction, requested

_HARMLESS = ("seed", "runs_dir", "deterministic", "device", "task.eval_batch_size", "trainer.log_", "trainer.save_")
"""Overrides that begin so change neither what is trained nor on what it is tested."""


@dataclass(frozen=True)
class Prepared:
    """A reproduction that is ready to run. overrides: those of the command line. folder: where it goes."""

    name: str
    reproduction: Reproduction
    request: Request
    overrides: tuple[str, ...]
    folder: Path
    config_dir: Path | None
    command: str

    @property
    def changed(self) -> tuple[str, ...]:
        """The overrides with which it is another experiment."""
        return tuple(word for word in self.overrides if not key_of(word).startswith(_HARMLESS))


@dataclass(frozen=True)
class Reproduced:
    """The outcome, where it is, and the runs that failed, by label and seed. pending: who makes the runs that are
    missing, if nobody waited for them; else empty."""

    outcome: Outcome
    folder: Path
    failed: Mapping[tuple[str, int], str]
    pending: str = ""


def prepare(
    names: Sequence[str],
    overrides: Sequence[str],
    *,
    seeds: int | None = None,
    out: Path | None = None,
    config_dir: Path | None = None,
    fetch: bool = True,
) -> list[Prepared]:
    """Read the reproductions and check that everything which they need is here: nothing runs until all of it is.

    out: the folder of reproductions; default: reproduce/ in the folder of runs. fetch: whether corpora may be
    downloaded. Raises ConfigError, DataError for a corpus and ResourceError for a GPU that are missing.
    """
    found: list[Prepared] = []
    words = tuple(overrides)
    for name in dict.fromkeys(names):
        told = read_reproduction(name, config_dir)
        request = requested(told, words, told.seeds if seeds is None else seeds, config_dir)
        folder = (out or request.runs_dir / "reproduce") / _folder_name(name, words)
        options = {"--seeds": seeds, "--out": out, "--config-dir": config_dir}
        given = [part for key, value in options.items() if value is not None for part in (key, str(value))]
        command = shlex.join(["seqlab", "reproduce", name, *words, *given])
        found.append(Prepared(name, told, request, words, folder, config_dir, command))
    for one in found:  # a typing error is reported before a download, and before another reproduction runs for hours
        parse_plan(one.request, config_dir)
    for one in found:
        check_needs(one.name, one.reproduction, one.overrides, fetch=fetch)
    return found


def _folder_name(name: str, overrides: Sequence[str]) -> str:
    """With overrides it is another comparison, which has a folder of its own."""
    words = sorted(word for word in overrides if key_of(word) != "runs_dir")
    return f"{name}-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:6]}" if words else name


def planned(one: Prepared, *, elsewhere: bool = False) -> Plan:
    """For --dry-run: the stored plan, or a new one that is measured but not written. elsewhere: the runs would start on
    other machines."""
    return plan_only(one.request, one.config_dir, None, one.folder, elsewhere=elsewhere)


def reproduce(
    one: Prepared, reporter: ComparisonReporter | None = None, execution: Execution | None = None
) -> Reproduced:
    """Make the runs that are missing, and write reproduction.json and report.html. execution: who makes the runs.
    Raises as `compare` does."""

    def judged(summary: Summary | None) -> Outcome:
        return outcome(one.name, one.reproduction, one.changed, one.command, summary)

    done = compare(
        one.request,
        reporter,
        config_dir=one.config_dir,
        folder=one.folder,
        command=one.command,
        execution=execution,
        above=lambda summary: above(judged(summary)),
    )
    found = judged(done.summary)
    if not done.pending:
        write_json(done.folder / "reproduction.json", found.as_json())
    return Reproduced(found, done.folder, done.failed, done.pending)


def submitted(prepared: Sequence[Prepared], execution: Execution) -> str:
    """Have a process in the background do all of them, one after the other. Returns a sentence about it."""
    names = [one.name for one in prepared]
    first = shlex.split(prepared[0].command)  # seqlab reproduce NAME, and what is common to all
    return background.submit(shlex.join([*first[:2], *names, *first[3:]]), execution, [one.folder for one in prepared])
