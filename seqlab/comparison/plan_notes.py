"""Notes on a plan for its reader, each about all models at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from seqlab.comparison.candidate import Candidate, named
from seqlab.comparison.options import Budget
from seqlab.comparison.plan import OTHER_ORDER
from seqlab.runs.result import task_warnings
from seqlab.runs.setup import budgets, new_network
from seqlab.training.budgets import cut_note
from seqlab.training.context import shortened
from seqlab.training.validation_time import slow_validation


def busy_note(others: int) -> list[str]:
    """A note if other threads ran while steps were measured. others: their number."""
    if others == 0:
        return []
    return [
        f"the machine was busy while steps were measured (other threads running: {others}): times, and a budget in "
        "seconds, are those of a busy machine"
    ]


def warnings(candidates: Sequence[Candidate]) -> list[str]:
    """The tasks' warnings about their data, each once."""
    return list(dict.fromkeys(warning for candidate in candidates for warning in task_warnings(candidate.task)))


def training_notes(candidates: Sequence[Candidate], budget: Budget | None) -> list[str]:
    """What may surprise in the budgets and contexts of training, with the models that it concerns."""
    cuts_differ = len({candidate.config.trainer.bptt_steps for candidate in candidates}) > 1
    by_remark: dict[str, list[str]] = {}
    for candidate in candidates:
        config, task = candidate.config, candidate.task
        with named(candidate.variant):
            with torch.device("meta"):
                network = new_network(config, task)
            remarks = list(shortened(network, task, config.model))
            if budget is None and candidate.is_trained:  # then only the config ends a run
                remarks += budgets(config, task, network)
            elif cuts_differ:
                remarks += filter(None, [cut_note(config.trainer, task)])
            for remark in remarks:
                by_remark.setdefault(remark, []).append(candidate.label)
    return [f"{', '.join(labels)}: {remark}" for remark, labels in by_remark.items()]


def order_note(candidates: Sequence[Candidate]) -> list[str]:
    """A note on the order in which each model reads the text in training, if it is not the same for all."""
    by_order: dict[str, list[str]] = {}
    for candidate in candidates:
        with named(candidate.variant):
            with torch.device("meta"):
                order = candidate.task.training_order(new_network(candidate.config, candidate.task))
            by_order.setdefault(order, []).append(candidate.label)
    if len(by_order) < 2:
        return []
    read = "; ".join(f"{', '.join(labels)}: {order}" for order, labels in by_order.items())
    return [f"training reads the same text, as many positions a step, but {OTHER_ORDER} ({read})"]


def slow_validation_note(candidates: Sequence[Candidate]) -> list[str]:
    """A note on the first model whose validations take longer than its training, with the remedy."""
    for candidate in candidates:
        variant = candidate.variant
        if not candidate.is_trained or variant.probe is None or variant.max_steps is None:
            continue
        every = max(1, round(variant.max_steps / variant.validations))
        trainer = replace(candidate.config.trainer, max_steps=variant.max_steps, eval_every_steps=every)
        between = every * variant.probe.step_seconds
        shorter = candidate.task.shorter_validation
        if (note := slow_validation(variant.probe.validation_seconds, between, trainer, shorter)) is not None:
            return [f"{variant.label}: {note}"]
    return []
