"""How this machine is divided among runs that are made at the same time: cores, and visible GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from seqlab.config.overrides import key_of
from seqlab.executors.job import Job

_GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Place:
    """Where one run at a time is made. cores: those of this place; empty where all are for all. gpu: its GPU, as
    CUDA_VISIBLE_DEVICES names it; None without any, or with no others beside it."""

    cores: tuple[int, ...]
    gpu: str | None

    def options(self, job: Job) -> list[str]:
        """The worker's options for a run here. A run that needs more threads than this place has cores may use all
        cores: on fewer of them, a library may choose fewer threads, and round differently."""
        threads = threads_of(job.overrides)
        fits = threads is not None and threads <= len(self.cores)
        return ["--cores", ",".join(map(str, self.cores))] if fits else []

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a run here."""
        return {} if self.gpu is None else {_GPUS: self.gpu}


def places_for(at_once: int) -> list[Place]:
    """Places for so many runs at a time: cores in equal shares, and GPUs in turn."""
    if at_once == 1:
        return [Place((), None)]
    cores, gpus = usable_cores(), visible_gpus()
    each = len(cores) // at_once
    return [
        Place(tuple(cores[index * each : (index + 1) * each]), gpus[index % len(gpus)] if gpus else None)
        for index in range(at_once)
    ]


def usable_cores() -> list[int]:
    """The cores that this process may use; none where the system cannot bind processes to cores."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def visible_gpus() -> list[str]:
    """The GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    if (given := os.environ.get(_GPUS)) is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def threads_of(overrides: Iterable[str]) -> int | None:
    """The CPU threads that a run's overrides fix; None where they leave the number open."""
    threads = _given("device.threads", overrides)
    return int(threads) if threads.isdigit() else None


def gpus_of(overrides: Iterable[str]) -> int:
    """The GPUs that a run's overrides fix."""
    return int(_given("device.type", overrides) == "cuda")


def _given(key: str, words: Iterable[str]) -> str:
    """The value of an override; "" if there is none."""
    return next((word.partition("=")[2] for word in words if key_of(word) == key), "")
