"""Every promise by name: the quick round before training, and all of them for `seqlab check`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from seqlab.contracts.built import Built, build, undisturbed
from seqlab.contracts.causality import check_causality
from seqlab.contracts.networks import check_batch, check_meter, check_targets, first_rows
from seqlab.contracts.sequences import check_padding, check_rows, check_shapes, check_single_steps, check_windows
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import ConfigError, SeqlabError

_LEARNING_STEPS = 30
_log = logging.getLogger("seqlab")


@dataclass(frozen=True)
class Found:
    """How one promise was kept. why: what broke it, and hint the remedy; both empty where it is kept. unseen: what of
    it could not be looked into."""

    of: str
    promise: str
    why: str = ""
    hint: str = ""
    unseen: str = ""


def check_before_training(task: Task[Any], model: ModelConfig, name: str) -> None:
    """Raise ConfigError, with the remedy, where a promise is broken. `name`: of the model, as the user chose it.

    On a network of its own, on the CPU in fp32: what is trained afterwards, its weights and every generator, is as if
    nothing had been looked at.
    """
    with undisturbed():
        network, models = build(task, model, name)
        for _, _, check in _promises(task, network, models, name, thorough=False):
            if unseen := check():
                _log.warning("%s: %s", name, unseen)


def check_everything(task: Task[Any], model: ModelConfig, name: str) -> Iterator[Found]:
    """Every promise, also those that take longer, one after the other."""
    with undisturbed():
        network, models = build(task, model, name)
        for of, promise, check in _promises(task, network, models, name, thorough=True):
            try:
                unseen = check()
            except SeqlabError as error:
                yield Found(of, promise, error.what, error.hint)
            except Exception as error:  # of the user's own code: the next promise may be kept
                yield Found(of, promise, f"{type(error).__name__}: {error}", "this is raised by the model or the task")
            else:
                yield Found(of, promise, unseen=unseen or "")


def _promises(
    task: Task[Any], network: Network[Any], models: tuple[Built, ...], name: str, *, thorough: bool
) -> Iterator[tuple[str, str, Callable[[], str | None]]]:
    """(whose it is, the promise, what raises where it is broken and returns what it could not look into)."""
    network.eval()
    for built in models:
        of = built.role.value.replace("_", " ")
        yield of, "keeps shapes, is finite, has a state by rows", partial(check_shapes, built)
        causal = partial(check_causality, built, every_position=thorough)
        yield of, "no output depends on a later input, on another row, or on an earlier call", causal
        yield of, "read in windows it is what it is whole", partial(check_windows, built)
        yield of, "padding changes nothing", partial(check_padding, built)
        yield of, "a row by itself is what it is beside others", partial(check_rows, built)
        if thorough:
            yield of, "single steps are the whole", partial(check_single_steps, built)
    yield "network", "no prediction depends on its own target", partial(check_targets, task, network, name)
    yield "network", "a batch gives a finite loss and finite gradients", partial(check_batch, task, network, name)
    yield "meter", "computes its primary metric", partial(check_meter, task, network, name)
    if thorough:
        yield "network", "the loss falls on one batch", partial(_check_learning, task, network, name)


def _check_learning(task: Task[Any], network: Network[Any], name: str) -> None:
    """Some steps of Adam on one small batch make its loss smaller."""
    network.train()
    batch = first_rows(next(iter(task.training_batches(network, 0))))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    losses: list[float] = []
    for _ in range(_LEARNING_STEPS):
        loss = network(batch, network.initial_state(batch.size)).loss_sum
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    if not min(losses[-5:]) < losses[0]:
        raise ConfigError(
            f"{name}: after {_LEARNING_STEPS} steps on one batch its loss is {losses[-1]:.4g}, and was {losses[0]:.4g}",
            "do gradients reach its weights?",
        )
