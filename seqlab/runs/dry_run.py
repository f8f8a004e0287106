"""`seqlab train --dry-run`: everything before the first step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seqlab.config.run import RunConfig
from seqlab.runs.device import without_slow_bf16
from seqlab.runs.result import task_warnings
from seqlab.runs.setup import budgets, count_parameters, prepare
from seqlab.training.device import resolve_device


@dataclass(frozen=True)
class DryRun:
    """A run before its first step. data: sizes of the corpus. budgets: notes on them."""

    model: str
    task: str
    data: Mapping[str, int | str]
    warnings: list[str]
    budgets: list[str]
    parameters: int
    parameters_by_part: Mapping[str, int]
    device: str
    precision: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return asdict(self)


def dry_run(config: RunConfig) -> DryRun:
    """Read the corpus, build the network, check and count it. Raises what training would raise."""
    device = resolve_device(config.device, deterministic=config.deterministic)
    task, network = prepare(config, device)
    device = without_slow_bf16(config, task, network, device)
    parts: Counter[str] = Counter()
    for name, parameter in network.named_parameters():
        parts[name.partition(".")[0]] += parameter.numel()
    return DryRun(
        model=config.names["model"],
        task=config.names["task"],
        data=dict(task.describe()),
        warnings=list(task_warnings(task)),
        budgets=budgets(config, task, network),
        parameters=count_parameters(network),
        parameters_by_part=dict(parts),
        device=device.name,
        precision=device.precision,
    )
