"""Runs as scripts for clusters where nothing may be installed: an array for sbatch, and a plain list of commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqlab.core.files import write_text
from seqlab.executors.executor import Executor, State
from seqlab.executors.job import Job
from seqlab.executors.places import gpus_of, threads_of
from seqlab.executors.settings import Settings

_SAVE_SECONDS = 120  # before the time is up
_ARRAY = """#!/bin/bash
{options}
#SBATCH --signal=B:USR1@{seconds}
#SBATCH --requeue
#SBATCH --open-mode=append

# each task of the array makes one run: the command in its line of the list
command=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {commands})
eval "$command &"
run=$!
# the time is up: the run saves and goes on later; told to stop by scancel or for another job, it only saves
trap 'kill -TERM $run; wait $run; scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"; exit' USR1
trap 'kill -TERM $run' TERM
while kill -0 $run 2>/dev/null; do wait $run; ended=$?; done
exit $ended
"""


class ScriptExecutor(Executor):
    """Writes the commands, and makes nothing: somebody submits the array, or works through the list. written: the files
    that the last `submit` wrote or found.

    desk: the folder of the files.
    """

    detached = True
    polled = False

    def __init__(self, settings: Settings, desk: Path, at_once: int | None = None) -> None:
        self.settings, self.desk, self.at_once = settings, desk.absolute(), at_once
        self.written: tuple[Path, Path] | None = None

    def submit(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        commands = "".join(f"{shlex.join(['env', '-C', str(Path.cwd()), *job.command()])}\n" for job in jobs)
        number = 1
        # an array that was submitted reads its list while it runs: that is never changed
        while (place := self.desk / f"jobs-{number}.txt").exists() and place.read_text(encoding="utf-8") != commands:
            number += 1
        array = self.desk / f"array-{number}.sbatch"
        self.desk.mkdir(parents=True, exist_ok=True)
        write_text(place, commands)
        write_text(array, self._array(jobs, place))
        self.written = (array, place)

    def _array(self, jobs: Sequence[Job], commands: Path) -> str:
        wanted = self.settings
        gpus = wanted.gpus if wanted.gpus is not None else max(gpus_of(job.overrides) for job in jobs)
        options = {
            "job-name": "seqlab",
            "array": f"0-{len(jobs) - 1}" + (f"%{self.at_once}" if self.at_once else ""),
            "output": shlex.quote(str(self.desk / "%A_%a.log")),
            "cpus-per-task": wanted.cpus or max(threads_of(job.overrides) or 1 for job in jobs),
            "gpus-per-node": gpus or None,
            "time": wanted.minutes,
            "mem": None if wanted.memory is None else f"{round(wanted.memory * 1000)}M",
            **{key: getattr(wanted, key) for key in ("partition", "account", "qos", "constraint")},
        }
        lines = [f"#SBATCH --{key}={value}" for key, value in options.items() if value is not None]
        return _ARRAY.format(options="\n".join(lines), seconds=_SAVE_SECONDS, commands=shlex.quote(str(commands)))

    def poll(self) -> Mapping[Path, State]:
        return {}

    def whereabouts(self, count: int) -> str:
        array, commands = self.written or (self.desk, self.desk)
        return (
            f"{count} runs are missing: `sbatch {array}` makes them, or a command for each in {commands}; "
            f"afterwards the same command collects them; an array's output is in {self.desk}/*.log"
        )

    def cancel(self, jobs: Sequence[Job]) -> None:
        pass

    def close(self) -> None:
        pass
