"""The number of parameters of a network by part, and the settings with which a family reaches a given number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import nn

from seqlab.config.overrides import spelled
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import ConfigError

Part = Literal["params", "body"]
TOLERANCE = 0.02
_WIDEST = 1 << 16


@dataclass(frozen=True)
class Sizes:
    """Trainable parameters of a network, by the parts that it names itself (Network.parts)."""

    embedding: int
    body: int
    head: int

    @property
    def params(self) -> int:
        """All of them."""
        return self.embedding + self.body + self.head


def sizes(network: Network[Any]) -> Sizes:
    """Count the parameters of a network's parts, each once. Raises ConfigError where one is in no part."""
    parts, counted = network.parts(), set[int]()

    def count(part: tuple[nn.Module | nn.Parameter, ...]) -> int:
        own = [p for one in part for p in (one.parameters() if isinstance(one, nn.Module) else (one,))]
        new = {id(p): p.numel() for p in own if p.requires_grad and id(p) not in counted}
        counted.update(new)
        return sum(new.values())

    found = Sizes(count(parts.embedding), count(parts.body), count(parts.head))
    missing = [name for name, p in network.named_parameters() if p.requires_grad and id(p) not in counted]
    if missing:
        raise ConfigError(
            f"{type(network).__name__}.parts() leaves out {missing[0]}", "name it as embedding, body or head"
        )
    return found


def sizes_of(task: Task[Any], model: ModelConfig) -> Sizes:
    """The same of a network on torch's meta device, which stores no numbers."""
    with torch.device("meta"):
        return sizes(task.build_network(model))


def match_size(task: Task[Any], model: ModelConfig, part: Part, target: int) -> ModelConfig:
    """The settings closest to `target` parameters in `part`, found by bisection over widths (and among what the
    family's at_width offers at each). Raises ConfigError, with the nearest sizes, if none is within 2 %."""

    def count(candidate: ModelConfig) -> int:
        return int(getattr(sizes_of(task, candidate), part))

    if count(model) == 0:
        raise ConfigError(
            f"this network has no {part} to match: its method parts names none", "name it there, or match params="
        )

    low, high = 1, 2
    while high < _WIDEST and ((at_high := _next_allowed(model, high)) is None or count(at_high) < target):
        low, high = high, 2 * high
    while high - low > 1:  # sizes grow with the width: the smallest width whose size reaches the target
        middle = (low + high) // 2
        at_middle = _next_allowed(model, middle)
        if at_middle is not None and count(at_middle) < target:
            low = middle
        else:
            high = middle
    below = [w for w in range(high, 0, -1) if _at_width(model, w)][:3]
    above = [w for w in range(high + 1, min(2 * high + 64, _WIDEST)) if _at_width(model, w)][:2]
    offers = [_at_width(model, width) for width in (*below, *above)]
    found = [(count(candidates[0]), candidates[0]) for candidates in offers]
    if not any(abs(reached - target) <= TOLERANCE * target for reached, _ in found):
        found += [(count(c), c) for candidates in offers for c in candidates[1:]]
    if not found:
        raise ConfigError(f"no width lets {type(model).__name__} reach {target:,} parameters")
    reached, best = min(found, key=lambda pair: abs(pair[0] - target))
    if abs(reached - target) > TOLERANCE * target:
        near = dict(sorted(found, key=lambda pair: abs(pair[0] - target)))
        smaller = max((value for value in near if value < target), default=None)
        larger = min((value for value in near if value > target), default=None)
        raise ConfigError(
            f"{part}={target:,} cannot be met within {100 * TOLERANCE:.0f} %",
            "the nearest sizes: "
            + ", ".join(f"{v:,} ({_changed(model, near[v])})" for v in (smaller, larger) if v is not None),
        )
    return best


def _next_allowed(model: ModelConfig, width: int) -> ModelConfig | None:
    """The family's settings at the smallest width it can have from `width` on."""
    return next((c for w in range(width, 2 * width + 64) for c in _at_width(model, w)), None)


def _at_width(model: ModelConfig, width: int) -> list[ModelConfig]:
    try:
        return list(model.at_width(width))
    except ValueError:  # a family of the user's own that refuses this width
        return []


def changes(before: ModelConfig, after: ModelConfig) -> Iterator[str]:
    """The settings of `after` that differ from `before`, as overrides."""
    for field in fields(before):
        value = getattr(after, field.name)
        if value != getattr(before, field.name):
            yield f"model.{field.name}={spelled(value)}"


def _changed(before: ModelConfig, after: ModelConfig) -> str:
    return ", ".join(changes(before, after)) or f"model.width={after.width}"
