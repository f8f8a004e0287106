"""The contracts of a task's network and meter, checked on a real batch.

Shape letters: B rows, T time, V vocabulary or classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.contracts.built import shaken
from seqlab.core.batch import Batch
from seqlab.core.meter import Meter
from seqlab.core.network import Network, StepOutput
from seqlab.core.state import tensors
from seqlab.core.task import Task
from seqlab.errors import ConfigError, SeqlabError
from seqlab.training.seeds import seed_global_generators

_ROWS = 4
_SAME = 1e-4  # relative to the loss: a smaller difference may be rounding
_SMALLEST = 1e-5  # relative to the largest score: a larger difference is not rounding


def first_rows(batch: Batch, rows: int = _ROWS) -> Batch:
    """The first rows of a batch; its counts stay those of the whole batch."""
    return _changed(batch, {name: value[:rows] for name, value in _rowwise(batch)})


def check_batch(task: Task[Any], network: Network[Any], name: str) -> None:
    """Raise ConfigError unless a training batch gives a finite scalar loss, finite gradients and a state with one row
    per batch row."""
    network.train()
    batch = first_rows(next(iter(task.training_batches(network, 0))))
    seed_global_generators(0, "contracts, a call")
    output = network(batch, network.initial_state(batch.size))
    loss = output.loss_sum
    if loss.dim() != 0 or not bool(loss.isfinite()):
        shown = f"a tensor of shape {tuple(loss.shape)}" if loss.dim() else f"{float(loss.detach()):g}"
        raise ConfigError(
            f"{name}: the loss of the first batch is {shown}", "loss_sum is a finite scalar, summed over the targets"
        )
    for tensor in tensors(output.state):
        if tensor.dim() == 0 or len(tensor) != batch.size:
            raise ConfigError(
                f"{name}: the network's state holds a tensor of shape {tuple(tensor.shape)} for {batch.size} rows",
                "dimension 0 of every tensor of a State is the row",
            )
    loss.backward()
    for part, parameter in network.named_parameters():
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            raise ConfigError(
                f"{name}: the first batch gives {part} a non-finite gradient",
                "check divisions, and logarithms and roots of values that may be 0",
            )
    network.zero_grad()


@torch.no_grad()
def check_targets(task: Task[Any], network: Network[Any], name: str) -> str:
    """Raise ConfigError if a prediction depends on its own target, on a later target, or on other rows.

    The targets are recognised by the loss: the field of the batch whose cross entropy it is or, with another loss, a
    field that changes the loss but no prediction. Returns what could not be checked: if no field is recognised, only
    the independence of rows is."""
    batch = first_rows(_scored(task))
    with shaken(network, 0.1, 1):
        network.eval()
        first = _outputs(network, batch)
        followed = [value for field, value in _rowwise(batch) if _is_followed(network, batch, field, first)]
        scored = [
            (field, value)
            for field, value in _rowwise(batch)
            if any(value.dtype == other.dtype and value.equal(other) for other in followed)
            or _is_target(network, batch, field, first)
        ]
        for train in (False, True):
            network.train(train)
            where = " (in training)" if train else " (in evaluation)"
            before = _outputs(network, batch).logits
            least = _SMALLEST * float(before.abs().max())
            for cut, other in _other_targets(batch, scored, first.logits):
                after = _outputs(network, other).logits
                differ = ((after - before).abs() > least).flatten(min(2, after.dim() - 1)).any(-1)
                if differ.dim() == 1 and bool(differ.any()):
                    raise ConfigError(f"{name}: the prediction depends on the label that it is scored against{where}",
                                      "the network may read the label for its loss only")  # fmt: skip
                if differ.dim() == 2 and bool(differ[:, : cut + 1].any()):
                    position = int(differ[:, : cut + 1].any(0).nonzero()[-1])
                    raise ConfigError(
                        f"{name}: the prediction at position {position} depends on the target at position {cut} or "
                        f"later{where}",
                        "the network may read a target only after the position at which it is predicted",
                    )
            if train or len(before) < 2 or len(before) != batch.size:
                continue
            order = torch.tensor([*range(batch.size - 1), 0])
            other = _changed(batch, {field: value[order] for field, value in _rowwise(batch)})
            after = _outputs(network, other).logits
            if bool(((after - before).abs() > least)[:-1].any()):
                raise ConfigError(
                    f"{name}: the predictions for a row depend on the other rows of the batch{where}",
                    "compute each row by itself",
                )
    unchecked = (
        "the field of the batch that holds the targets was not recognised: a dependence on them would not be found"
    )
    return "" if scored else unchecked


@torch.no_grad()
def check_meter(task: Task[Any], network: Network[Any], name: str) -> None:
    """Raise ConfigError unless the meter computes its primary metric, which chooses the best weights."""
    network.eval()
    batch = _scored(task)
    try:
        meter = _metered(task, network, first_rows(batch))
        metrics = meter.compute()
    except SeqlabError:
        raise
    except Exception:  # a user's meter may need a whole batch
        meter = _metered(task, network, batch)
        metrics = meter.compute()
    if meter.primary not in metrics:
        raise ConfigError(
            f"{name}: the meter's primary metric, {meter.primary}, is not among those that it computes: "
            f"{', '.join(metrics)}",
            "set primary to one of the metrics that compute() returns",
        )


def _scored(task: Task[Any]) -> Batch:
    """The first validation batch with targets; one before it may only advance the state."""
    batches = task.batches("validation", 0)
    first: Batch = next(batches)
    return first if first.scored else next((batch for batch in batches if batch.scored), first)


def _metered(task: Task[Any], network: Network[Any], batch: Batch) -> Meter[Any]:
    meter = task.meter("validation")
    meter.update(batch, _outputs(network, batch), network)
    return meter


def _outputs(network: Network[Any], batch: Batch) -> StepOutput:
    seed_global_generators(0, "contracts, a call")
    output: StepOutput = network(batch, network.initial_state(batch.size, cached=not network.training))
    return output


def _rowwise(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """The fields of a batch that are tensors with one row per batch row."""
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor) and value.dim() and len(value) == batch.size:
            yield field.name, value


def _changed(batch: Batch, values: dict[str, Any]) -> Batch:
    return replace(batch, **values)


def _miss(value: Tensor, logits: Tensor, loss: float) -> float:
    """By which share of the loss the cross entropy of these logits with these targets, without padding (0 or out of
    range), is another; infinite for what cannot be targets."""
    if value.dtype != torch.long or value.shape != logits.shape[:-1]:
        return math.inf
    classes = logits.shape[-1]
    inside = (value >= 0) & (value < classes)
    nats = F.cross_entropy(
        logits.double().flatten(0, -2), value.clamp(0, classes - 1).flatten(), reduction="none"
    ).view(value.shape)  # fmt: skip
    sums = (float(nats[inside].sum()), float(nats[inside & (value != 0)].sum()))
    return min(abs(total - loss) for total in sums) / max(abs(loss), 1e-30)


def _is_followed(network: Network[Any], batch: Batch, field: str, first: StepOutput) -> bool:
    """Whether the loss is the cross entropy of the predictions with this field, and still is once the field is changed:
    inputs that are nearly the targets, as when most positions hold a blank, have nearly their loss."""
    value: Tensor = getattr(batch, field)
    if _miss(value, first.logits, float(first.loss_sum)) > _SAME:
        return False
    other = _other(value, first.logits.shape[-1])
    after = _outputs(network, _changed(batch, {field: other}))
    return _miss(other, after.logits, float(after.loss_sum)) <= _SAME


def _is_target(network: Network[Any], batch: Batch, field: str, first: StepOutput) -> bool:
    """Whether changing this field changes the loss but not the predictions."""
    value: Tensor = getattr(batch, field)
    aligned = value.shape in (first.logits.shape, first.logits.shape[:-1])
    if value.dtype == torch.bool or not (aligned or _is_apart(value, first.logits)):
        return False
    other = _other(value, first.logits.shape[-1]) if aligned else value.roll(1, 0)
    after = _outputs(network, _changed(batch, {field: other}))
    same = bool(((after.logits - first.logits).abs() <= _SMALLEST * first.logits.abs().max()).all())
    loss, before = float(after.loss_sum), float(first.loss_sum)
    return same and abs(loss - before) > _SMALLEST * abs(before)


def _is_apart(value: Tensor, logits: Tensor) -> bool:
    """Whether these may be targets that are aligned with no position, as the characters of a transcript are not."""
    return logits.dim() == 3 and value.dim() == 2 and value.dtype == torch.long and value.shape != logits.shape[:-1]


def _other(value: Tensor, classes: int) -> Tensor:
    """Changed targets: other classes, except where padded (negative), or other numbers."""
    return value + 1 if value.is_floating_point() else torch.where(value >= 0, (value + 1) % classes, value)


def _other_targets(batch: Batch, scored: list[tuple[str, Tensor]], logits: Tensor) -> Iterator[tuple[int, Batch]]:
    """(position, the batch with changed targets from there on). Inputs that are the targets shifted by one position are
    changed accordingly."""
    for field, value in scored:
        if logits.dim() == 2:
            yield 0, _changed(batch, {field: _other(value, logits.shape[-1])})
            continue
        if _is_apart(value, logits):  # no position may depend on any of them
            yield logits.shape[1] - 1, _changed(batch, {field: value.roll(1, 0)})
            continue
        most, steps = 2 if value.is_floating_point() else max(2, int(value.max())), value.shape[1]
        read = [
            other
            for other, tokens in _rowwise(batch)
            if other != field and tokens.shape == value.shape and tokens.dtype == value.dtype
            and bool(((tokens[:, 1:] == value[:, :-1]) | (value[:, :-1] < 0)).all())
        ]  # fmt: skip
        time_T = torch.arange(steps)
        for cut in sorted({0, steps // 2, steps - 1}):
            values = {field: _others(value, time_T >= cut, most)}
            values |= {other: _others(getattr(batch, other), time_T > cut, most) for other in read}
            yield cut, _changed(batch, values)


def _others(values: Tensor, at_T: Tensor, most: int) -> Tensor:
    """The values with others at these positions: other tokens up to `most`, keeping padding (0), or other numbers."""
    at_T = at_T.view(-1, *[1] * (values.dim() - 2))
    if values.is_floating_point():
        return torch.where(at_T, values + 1, values)
    return torch.where(at_T & (values > 0), 1 + values % most, values)
