"""Runs the contract checks: the quick ones before training, all of them for `seqlab check`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from seqlab.contracts.built import Built, build, one_thread, undisturbed
from seqlab.contracts.causality import check_causality
from seqlab.contracts.networks import check_batch, check_meter, check_targets, first_rows
from seqlab.contracts.sequences import (
    check_padding,
    check_rows,
    check_shapes,
    check_signals,
    check_single_steps,
    check_windows,
)
from seqlab.core.batch import Batch
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import ConfigError, SeqlabError
from seqlab.training.seeds import seed_global_generators

_LEARNING_STEPS, _LEARNING_RATES = 10, (3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
_log = logging.getLogger("seqlab")


@dataclass(frozen=True)
class CheckResult:
    """The result of checking one contract. part: the part of the model or task that must meet it. failure: how it is
    violated, and hint the remedy; both empty if it is met. unchecked: what could not be checked."""

    part: str
    contract: str
    failure: str = ""
    hint: str = ""
    unchecked: str = ""


def check_before_training(task: Task[Any], model: ModelConfig, name: str) -> None:
    """Raise ConfigError, with the remedy, if a contract is violated. `name`: of the model, as the user chose it.

    The checks use a network of their own, on the CPU in fp32, and restore all random generators: the training that
    follows is not affected.
    """
    with undisturbed():
        network, models = build(task, model, name)
        for _, _, check in _checks(task, network, models, name, thorough=False):
            if unchecked := check():
                _log.warning("%s: %s", name, unchecked)


def check_everything(task: Task[Any], model: ModelConfig, name: str) -> Iterator[CheckResult]:
    """The result of every check, including the slow ones, as they are made."""
    with undisturbed(), one_thread():
        network, models = build(task, model, name)
        for part, contract, check in _checks(task, network, models, name, thorough=True):
            try:
                unchecked = check()
            except SeqlabError as error:
                yield CheckResult(part, contract, error.what, error.hint)
            except Exception as error:  # raised by the user's own code: the next check may pass
                what = f"{type(error).__name__}: {error}"
                yield CheckResult(part, contract, what, "this is raised by the model or the task")
            else:
                yield CheckResult(part, contract, unchecked=unchecked or "")


def _checks(
    task: Task[Any], network: Network[Any], models: tuple[Built, ...], name: str, *, thorough: bool
) -> Iterator[tuple[str, str, Callable[[], str | None]]]:
    """(the part, its contract, a function that raises if it is violated and returns what it could not check)."""
    network.eval()
    for built in models:
        part = built.role.value.replace("_", " ")
        yield part, "keeps shapes, is finite, has a state with one row per batch row", partial(check_shapes, built)
        causal = partial(check_causality, built, every_position=thorough)
        yield part, "no output depends on a later input, on another row, or on an earlier call", causal
        yield part, "reading in windows equals reading the whole sequence", partial(check_windows, built)
        yield part, "padding changes nothing", partial(check_padding, built)
        yield part, "a row alone gives the same outputs as in a batch", partial(check_rows, built)
        if thorough:
            yield part, "single steps equal the whole sequence", partial(check_single_steps, built)
            yield part, "signals are tensors over time", partial(check_signals, built)
    yield "network", "no prediction depends on its own target", partial(check_targets, task, network, name)
    yield "network", "a batch gives a finite loss and finite gradients", partial(check_batch, task, network, name)
    yield "meter", "computes its primary metric", partial(check_meter, task, network, name)
    if thorough:
        yield "network", "the loss falls on one batch", partial(_check_learning, task, network, name)


def _check_learning(task: Task[Any], network: Network[Any], name: str) -> None:
    """Raise ConfigError unless some steps against the sign of the gradient reduce the loss of one small batch, at one
    of several rates: the wider a network is, the more weights move its outputs at once, the smaller a step must be.

    The first steps of Adam are nearly these.
    """
    network.train()
    batch = first_rows(next(iter(task.training_batches(network, 0))))
    start = [p.detach().clone() for p in network.parameters()]
    for rate in _LEARNING_RATES:
        with torch.no_grad():
            for p, value in zip(network.parameters(), start, strict=True):
                p.copy_(value)
        losses = _losses(network, batch, rate)
        if min(losses[-5:]) < losses[0]:
            return
    raise ConfigError(
        f"{name}: {_LEARNING_STEPS} steps on one batch change its loss from {losses[0]:.4g} to {losses[-1]:.4g}",
        "do gradients reach its weights?",
    )


def _losses(network: Network[Any], batch: Batch, rate: float) -> list[float]:
    """The loss before each of some steps, which change the network's weights."""
    losses: list[float] = []
    for _ in range(_LEARNING_STEPS):
        network.zero_grad()
        seed_global_generators(0, "contracts, a call")  # the same dropout masks, so that only the steps change the loss
        loss = network(batch, network.initial_state(batch.size)).loss_sum
        loss.backward()
        with torch.no_grad():
            for p in network.parameters():
                if p.grad is not None:
                    p.sub_(p.grad.sgn(), alpha=rate)
        losses.append(float(loss.detach()))
    return losses
