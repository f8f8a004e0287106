"""Optimizers, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import nn

from seqlab.core.fields import Count, NonNegative, Positive, Probability, WholeNumber
from seqlab.errors import ConfigError


@config_dataclass(frozen=True, kw_only=True)
class OptimConfig(ABC):
    """Base of every optimizer's settings.

    learning_rate: after warm-up. weight_decay: of weight matrices, not of biases, norms and embeddings.
    warmup_steps: over which it rises from 0.
    schedule: after warm-up: constant, linear, cosine (Loshchilov & Hutter 2017) or inverse_sqrt (Vaswani 2017).
    final_share: the share of the learning rate at which linear and cosine end. horizon_steps: the step at which they
    end; null stands for trainer.max_steps.
    """

    learning_rate: Positive
    weight_decay: NonNegative
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt"]
    warmup_steps: WholeNumber
    final_share: NonNegative
    horizon_steps: Count | None
    whole_matrices: ClassVar[bool] = False
    """Whether it cannot change a matrix of which a process holds a shard."""

    @abstractmethod
    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """A torch optimizer over parameter groups, each with its own weight decay."""

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of a network."""
        return self.optimizer(self.groups(network))

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Weight decay on the matrices of its layers, not on biases, norms and embeddings: decaying those slows
        learning and regularises little."""
        embedded = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in network.parameters():
            (decayed if parameter.ndim > 1 and id(parameter) not in embedded else plain).append(parameter)
        groups = [(decayed, self.weight_decay), (plain, 0.0)]
        return [{"params": p, "weight_decay": decay} for p, decay in groups if p]

    @property
    def decays(self) -> bool:
        """Whether the learning rate falls towards the end of the schedule."""
        return self.schedule in ("linear", "cosine")

    def horizon(self, max_steps: int | None) -> int | None:
        """The step at which the schedule ends. Raises ConfigError where the schedule needs one and none is set."""
        horizon = self.horizon_steps or max_steps
        if horizon is None and self.decays:
            raise ConfigError(
                f"optim.schedule={self.schedule} needs to know where it ends, and trainer.max_steps is null",
                "try optim.horizon_steps=1000, or optim.schedule=constant",
            )
        return horizon

    def learning_rate_at(self, step: int, horizon: int | None) -> float:
        """The learning rate of optimizer step `step`, counted from 0: a pure function of the step."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "inverse_sqrt":
            return self.learning_rate * math.sqrt(max(self.warmup_steps, 1) / max(step + 1, 1))
        if self.schedule == "constant" or horizon is None:
            return self.learning_rate
        done = min(1.0, (step - self.warmup_steps) / max(1, horizon - self.warmup_steps))
        left = 1 - done if self.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * (self.final_share + (1 - self.final_share) * left)


def _bare(method: Callable[..., Any]) -> Any:
    return getattr(method, "__wrapped__", method)


def without_hooks(step: Callable[..., Any]) -> Any:
    """An optimizer's step, without gradients and without what torch wraps around every step, hooks and a record for the
    profiler: that takes a tenth of the smallest training steps, and nothing here uses it."""
    plain = torch.no_grad()(_bare(step))
    plain.hooked = True  # torch's own mark of a step that it has wrapped
    return plain


class Uncompiled(torch.optim.Optimizer):
    """A torch optimizer whose methods are not wrapped for torch.compile: the first call of a wrapper imports the
    compiler, which takes longer than all of seqlab's own start, and nothing here compiles an optimizer."""

    add_param_group = _bare(torch.optim.Optimizer.add_param_group)
    load_state_dict = _bare(torch.optim.Optimizer.load_state_dict)
    state_dict = _bare(torch.optim.Optimizer.state_dict)
    zero_grad = _bare(torch.optim.Optimizer.zero_grad)


class AdamW(Uncompiled, torch.optim.AdamW):
    """torch's."""

    step = without_hooks(torch.optim.AdamW.step)


class SGD(Uncompiled, torch.optim.SGD):
    """torch's."""

    step = without_hooks(torch.optim.SGD.step)


class RMSprop(Uncompiled, torch.optim.RMSprop):
    """torch's."""

    step = without_hooks(torch.optim.RMSprop.step)


@config_dataclass(frozen=True, kw_only=True)
class AdamWConfig(OptimConfig):
    """AdamW (Loshchilov & Hutter 2019), in torch's fused form where the device has it."""

    betas: tuple[Probability, Probability]
    epsilon: Positive

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return AdamW(groups, self.learning_rate, self.betas, self.epsilon, fused=_can_fuse(groups))


@config_dataclass(frozen=True, kw_only=True)
class SGDConfig(OptimConfig):
    """Stochastic gradient descent with momentum."""

    momentum: NonNegative

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return SGD(groups, self.learning_rate, self.momentum, fused=_can_fuse(groups) and _whole(groups))


@config_dataclass(frozen=True, kw_only=True)
class RMSpropConfig(OptimConfig):
    """RMSprop (Tieleman & Hinton 2012)."""

    decay: Probability
    momentum: NonNegative
    epsilon: Positive

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return RMSprop(groups, self.learning_rate, self.decay, self.epsilon, momentum=self.momentum)


def skips_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a step changes nothing where the optimizer's `found_inf`, a tensor on the device, is 1. (Fused SGD does
    so too, but a first step skipped that way would leave its momentum unset.)"""
    return isinstance(optimizer, torch.optim.AdamW) and all(group["fused"] for group in optimizer.param_groups)


def _can_fuse(groups: list[dict[str, Any]]) -> bool:
    return all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])


def _whole(groups: list[dict[str, Any]]) -> bool:
    """Whether no parameter is a shard, for which torch has no fused SGD."""
    return all(type(p) is nn.Parameter for group in groups for p in group["params"])
