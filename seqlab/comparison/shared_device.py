"""How a device is decided for all models of a comparison: type, precision, threads and compilation, each once. What
rounds differently, or takes other time, would otherwise be a difference between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from seqlab.comparison.candidate import Candidate, named
from seqlab.config.run import RunConfig
from seqlab.errors import NumericError, ResourceError
from seqlab.runs.device import decide, without_slow_bf16
from seqlab.runs.environment import read_environment
from seqlab.runs.faults import memory
from seqlab.runs.setup import build_network, new_network
from seqlab.training.device import Device, resolve_device


def share_precision(candidates: Sequence[Candidate]) -> list[Candidate]:
    """One precision for all that leave it to `auto`: fp32 where they, those that set their own, and runs that exist, do
    not agree."""
    precisions = {
        chosen["precision"]
        for candidate in candidates
        for folder in candidate.variant.existing.values()
        if isinstance(chosen := read_environment(Path(folder)).get("chosen"), dict) and "precision" in chosen
    }
    for candidate in (candidate for candidate in candidates if candidate.is_trained):
        config = candidate.config
        with named(candidate.variant):
            # threads are set by those who measure
            device = resolve_device(replace(config.device, threads=None), deterministic=config.deterministic)
            with torch.device("meta"):
                network = new_network(config, candidate.task)
            precisions.add(without_slow_bf16(config, candidate.task, network, device).precision)
    if len(precisions) <= 1:
        return list(candidates)
    return [
        candidate.with_overrides("device.precision=fp32")
        if candidate.is_trained and candidate.config.device.precision == "auto"
        else candidate
        for candidate in candidates
    ]


def share_device(candidates: Sequence[Candidate], threads: int) -> list[Candidate]:
    """Type, precision and number of threads as overrides, also where torch or `auto` chose them: a run on another
    machine, or beside others, must not round differently. The first model with `auto` threads chooses them for all
    such; where they are left to torch, all have one only if the steps of each are that small. threads: of this
    process."""
    found: list[Candidate] = []
    chosen_threads: str | None = None
    useful: list[int] = []
    for candidate in candidates:
        if candidate.is_trained:
            with named(candidate.variant):
                automatic = candidate.config.device.threads == "auto"
                if automatic and chosen_threads is not None:
                    candidate = candidate.with_overrides(chosen_threads)
                device = decided_device(candidate, threads, compilation=False)
                chosen = [f"device.type={device.name}", f"device.precision={device.precision}"]
                if candidate.config.device.threads == "auto":
                    chosen_threads = f"device.threads={torch.get_num_threads()}"
                    chosen.append(chosen_threads)
                elif candidate.config.device.threads is None:
                    useful.append(torch.get_num_threads())
                candidate = candidate.with_overrides(*chosen)
        found.append(candidate)
    return [
        candidate.with_overrides(f"device.threads={max(useful)}")
        if candidate.is_trained and candidate.config.device.threads is None
        else candidate
        for candidate in found
    ]


def share_compilation(candidates: Sequence[Candidate], threads: int) -> list[Candidate]:
    """Whether to compile, decided now that it is known how long each trains. threads: of this process."""
    worth_it: dict[str, bool] = {}
    for candidate in (candidate for candidate in candidates if candidate.is_trained):
        with named(candidate.variant):
            worth_it[candidate.label] = decided_device(candidate, threads, compilation=True).compile
    return compiled_alike(candidates, worth_it)


def compiled_alike(candidates: Sequence[Candidate], worth_it: Mapping[str, bool]) -> list[Candidate]:
    """All compiled or none: models on `auto` are compiled if every model is or should be. worth_it: by label, whether a
    model trained here is or should be compiled."""
    answer = "always" if all(worth_it.values()) else "never"
    return [
        candidate.with_overrides(f"device.compile={answer}")
        if candidate.is_trained and candidate.config.device.compile == "auto"
        else candidate
        for candidate in candidates
    ]


def prepared_device(config: RunConfig, threads: int) -> Device:
    """The config's device as far as it needs no measuring. This process then has the threads that the config sets, or
    else `threads`."""
    torch.set_num_threads(threads)  # not those of the model before
    return resolve_device(config.device, deterministic=config.deterministic)


def decided_device(candidate: Candidate, threads: int, *, compilation: bool) -> Device:
    """The device with what was left to `auto` measured, compilation only if it is asked for. If the model cannot be
    trained for some steps, which its runs will report as well, nothing is measured."""
    config, device = candidate.config, prepared_device(candidate.config, threads)
    if not compilation:
        config = replace(config, device=replace(config.device, compile="never"))
    try:
        with memory():
            return decide(config, candidate.task, build_network(config, candidate.task, device), device)[0]
    except (NumericError, ResourceError):
        return device
