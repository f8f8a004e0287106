"""The state of a trainer as tensors and JSON: all that a resumed run needs to end in the same bits.

The order of the data is not part of it, since it follows from seed and epoch, nor is the learning rate, which follows
from the step.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from pydantic import TypeAdapter
from torch import Tensor

from seqlab.checkpoints.nested import flatten_state, resembles, unflatten_state
from seqlab.checkpoints.weights import check_weights, load_network, network_tensors
from seqlab.errors import CheckpointError
from seqlab.training.progress import Interval, Progress
from seqlab.training.seeds import random_states, seed_global_generators, set_random_states

if TYPE_CHECKING:
    from seqlab.training.trainer import Trainer

Parts = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by dotted name, and everything else as plain values."""

T = TypeVar("T")
_KERNELS = ("fused", "foreach", "capturable", "differentiable")
_KINDS = ("network", "optimizer", "carried", "random", "ranks")


def capture(trainer: Trainer[Any]) -> Parts:
    """Everything that the trainer's next step depends on. All processes of a run must call it: the state is that of all
    rows, so that any number of processes can continue, and each has random generators of its own."""
    world, update = trainer.world, trainer.update
    update.sharing.gather()
    tensors: dict[str, Tensor] = {f"network.{n}": t for n, t in network_tensors(trainer.network).items()}
    optimizer = update.optimizer.state_dict()
    loose: dict[str, dict[str, Any]] = {}
    for index, slots in optimizer["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = update.sharing.whole(value)
            else:
                loose.setdefault(str(index), {})[name] = value
    carried, nesting = ({}, None) if update.state is None else flatten_state(world.all_rows(update.state, update.rows))
    tensors |= {f"carried.{name}": tensor for name, tensor in carried.items()}
    (drawn, rest), *others = world.every(random_states(trainer.device.name))
    tensors |= {f"random.{name}": tensor for name, tensor in drawn.items()}
    for rank, (states, _) in enumerate(others, start=1):
        tensors |= {f"ranks.{rank}.{name}": tensor for name, tensor in states.items()}
    return tensors, {
        "tensors": sorted(tensors),
        "progress": dataclasses.asdict(trainer.progress),
        "interval": dataclasses.asdict(trainer.outcomes.interval),
        "optimizer": {"param_groups": optimizer["param_groups"], "state": loose},
        "scaler": update.scaler.state_dict(),
        "carried": nesting,
        "random": rest,
        "run": dict(trainer.origin),
        **({"ranks": [values for _, values in others]} if others else {}),
    }


def restore(trainer: Trainer[Any], parts: Parts, source: str) -> None:
    """Restore the trainer to the state in `parts`. source: the checkpoint's name in messages.

    Everything is checked before anything is changed. Raises CheckpointError if it does not fit.
    """
    tensors, state = parts
    try:
        apply = _checked(trainer, tensors, state, source)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(f"the checkpoint at {source} is not one of this run: {error!r:.120}") from error
    try:
        apply()
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"the checkpoint at {source} cannot be restored: {str(error)[:120]}") from error


def _checked(
    trainer: Trainer[Any], tensors: Mapping[str, Tensor], state: Mapping[str, Any], source: str
) -> Callable[[], None]:
    def need(fits: bool, what: str) -> None:
        if not fits:
            raise CheckpointError(f"the checkpoint at {source} does not fit: {what}")

    own_tensors, own = capture(trainer)
    need(state["tensors"] == sorted(tensors), "its tensors are not those that state.json names")
    parts: dict[str, dict[str, Tensor]] = {kind: {} for kind in _KINDS}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        need(kind in parts, f"an unknown tensor {name}")
        parts[kind][rest] = tensor
    check_weights(trainer.network, parts["network"], source)
    need(state["random"].keys() == own["random"].keys(), f"random should have {', '.join(own['random'])}")
    progress, sums = as_dataclass(Progress, state["progress"]), as_dataclass(Interval, state["interval"])
    positions = (progress.step, progress.epoch, progress.windows)
    need(min(positions) >= 0 and max(positions) < 2**62, f"its position {positions} is impossible")
    groups = _param_groups(own["optimizer"]["param_groups"], state["optimizer"]["param_groups"], need)
    slots = _slots(trainer, parts["optimizer"], state["optimizer"]["state"], need)
    scaler, own_scaler = state["scaler"], own["scaler"]
    need(not scaler or not own_scaler or scaler.keys() == own_scaler.keys(), "the scaler's state")
    device = trainer.device.torch_device
    # copies: tensors from a file are aligned differently, and some kernels round by alignment
    on_device = {name: tensor.clone().to(device) for name, tensor in parts["carried"].items()}
    carried = None if state["carried"] is None else unflatten_state(on_device, state["carried"])
    if carried is not None:
        rows = {len(tensor) if tensor.ndim else 0 for tensor in on_device.values()}
        fits = len(rows) <= 1 and resembles(carried, trainer.network.initial_state(1))
        need(fits, "the carried state is not one of this network")
    drawn = parts["random"]
    for name in ("torch", "python", "numpy"):
        mine, theirs = own_tensors[f"random.{name}"], drawn.get(name)
        fits = theirs is not None and (theirs.shape, theirs.dtype) == (mine.shape, mine.dtype)
        need(fits, f"the random state of {name}")

    def apply() -> None:
        load_network(trainer.network, parts["network"], source)
        trainer.update.sharing.scatter()
        trainer.update.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        if scaler and own_scaler:
            trainer.update.scaler.load_state_dict(scaler)
        own_rows = None if carried is None else trainer.world.own_rows(carried)
        trainer.progress, trainer.update.state, trainer.saved_step = progress, own_rows, progress.step
        trainer.update.rows = max((len(tensor) for tensor in on_device.values()), default=0)
        trainer.best_steps = {progress.step: progress.best_step}
        trainer.outcomes.interval, trainer.outcomes.waiting = sums, []
        _restore_generators(trainer, drawn, state["random"], parts["ranks"], state.get("ranks", ()))

    return apply


def _restore_generators(
    trainer: Trainer[Any],
    first: Mapping[str, Tensor],
    rest: Mapping[str, Any],
    others: Mapping[str, Tensor],
    rests: Sequence[Mapping[str, Any]],
) -> None:
    """Each process gets its own generators back; with another number of processes, all but the first begin new ones."""
    world, device = trainer.world, trainer.device.name
    if world.rank == 0:
        set_random_states(device, first, rest)
    elif len(rests) == world.size - 1:
        own = f"{world.rank}."
        drawn = {name.removeprefix(own): tensor for name, tensor in others.items() if name.startswith(own)}
        set_random_states(device, drawn, rests[world.rank - 1])
    else:
        seed_global_generators(trainer.seed, f"dropout from step {trainer.progress.step}", world.rank)


def _param_groups(
    own: list[dict[str, Any]], saved: list[dict[str, Any]], need: Callable[[bool, str], None]
) -> list[dict[str, Any]]:
    """The saved groups, with tuples where JSON has lists; a setting that this torch added keeps its value."""
    need([group["params"] for group in own] == [group["params"] for group in saved], "the optimizer's parameters")

    def kind(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [kind(inner) for inner in value]
        return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value)

    def value(name: str, mine: Any, theirs: Any) -> Any:
        need(kind(mine) == kind(theirs), f"the optimizer's {name} is {theirs!r:.60}")
        return tuple(theirs) if isinstance(mine, tuple) else theirs

    return [
        # the device of this run decides which kernel is used
        {name: mine if name in _KERNELS else value(name, mine, theirs.get(name, mine)) for name, mine in group.items()}
        for group, theirs in zip(own, saved, strict=True)
    ]


def _slots(
    trainer: Trainer[Any],
    tensors: Mapping[str, Tensor],
    loose: Mapping[str, Mapping[str, Any]],
    need: Callable[[bool, str], None],
) -> dict[int, dict[str, Any]]:
    """The optimizer's slots by parameter. A fused kernel trusts their shapes, so each parameter must have exactly those
    that a step of this optimizer creates, or none."""
    slots: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in loose.items()}
    for name, tensor in tensors.items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = tensor.clone()
    known = _slots_after_a_step(trainer.update.optimizer) if slots else {}
    for number, found in slots.items():
        need(number in known and found.keys() == known[number].keys(), f"the optimizer's slots of parameter {number}")
        for slot, theirs in found.items():
            mine = known[number][slot]
            if isinstance(mine, Tensor) and isinstance(theirs, Tensor):
                same = (theirs.shape, theirs.dtype) == (mine.shape, mine.dtype)
            else:
                same = type(theirs) is type(mine)
            need(same, f"optimizer.{number}.{slot}")
            found[slot] = trainer.update.sharing.own(mine, theirs)
    return slots


def _slots_after_a_step(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Any]]:
    """The slots that a step creates, from a copy of the optimizer with copies of the parameters."""
    twin = copy.deepcopy(optimizer)
    for group in twin.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    twin.step()
    slots: dict[int, dict[str, Any]] = twin.state_dict()["state"]
    return slots


def as_dataclass(kind: type[T], values: Any) -> T:
    """A dataclass from a mapping of exactly its fields. Raises TypeError or ValidationError (a ValueError)."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if not isinstance(values, dict) or values.keys() != set(names):
        raise TypeError(f"{kind.__name__.strip('_').lower()} should have {', '.join(names)}")
    return TypeAdapter(kind).validate_python(values)
