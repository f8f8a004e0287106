"""What each head of attention does: how far it differs from the other heads of its module, what is lost without it
(Michel 2019, "Are sixteen heads really better than one?"), and whether it looks where the answer stands.

B batch, N heads, T query positions, S key positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqlab.core.attention import ReadHeads
from seqlab.core.batch import Batch
from seqlab.core.network import Network, evaluating
from seqlab.core.task import Task
from seqlab.drawing.picture import Picture, plain
from seqlab.errors import ConfigError
from seqlab.insight.attention import place_of, text_to_show
from seqlab.insight.maps import Agreement, agreements, divergences, maps, places_in, pooled
from seqlab.insight.watching import check_finite
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POSITIONS = 12_000  # of the validation split, about, if it has as many
_ROWS = 64  # of a batch, at most, of which maps are compared with where answers stand

_ABOUT = (
    "A row is an attention module, a column one of its heads. Rise of the loss: in nats a target on {positions:,} "
    "positions of the validation split, when what the head has looked up is replaced by zeros; with all heads it is "
    "{loss:.3f}. A loss that does not rise says that the network does without this head, not that the head does "
    "nothing: others may make up for it. Divergence: how far a head's weights are from those of the other heads of its "
    "module, as the Jensen-Shannon divergence over the text that the view attention shows: 0 bits where all do the "
    "same, 1 where no two look at the same position.{aligned}"
)
_ALIGNED = (
    " Aligned: how often the position that a head attends to most is the one at which the answer stands, over "
    "{queries:,} targets for which the task knows that; by chance it would be {chance:.1%}."
)


@dataclass(frozen=True)
class Measured:
    """The heads' figures of each module, by its name. loss: with all heads, over so many positions. rise_N: without
    each. divergence_N: from the others, NaN for a head alone. agreement: of modules that answers come through."""

    loss: float
    positions: int
    rise_N: Mapping[str, Floats]
    divergence_N: Mapping[str, Floats]
    agreement: Mapping[str, Agreement]


def measure(task: Task[Any], network: Network[Any]) -> Measured:
    """Of a network with attention, on batches from all parts of the validation split."""
    shown = maps(network, text_to_show(task, network, None).batch)
    batches = evenly_spread(task, _POSITIONS)
    loss, rise_N = _loss(network, batches), {}
    for name, found in shown.items():
        if (read := found.module.read_heads()) is not None:
            rise_N[name] = np.array([_loss_without(network, batches, read, columns) for columns in read.columns]) - loss
            check_finite(rise_N[name], f"the losses without a head of {name}")
    return Measured(
        loss, sum(batch.positions for batch in batches), rise_N,
        {name: divergences(found.weight_BNTS[0]) for name, found in shown.items()},
        _agreements(task, network, batches),
    )  # fmt: skip


def _agreements(task: Task[Any], network: Network[Any], batches: Sequence[Batch]) -> Mapping[str, Agreement]:
    """Over rows of all batches, but those with a text longer than the network may read at once, which a map needs."""
    found: dict[str, list[Agreement]] = {}
    for batch in batches:
        few = batch.rows(slice(None, None, math.ceil(batch.size / _ROWS)))
        if places_in(task, few) is None:
            continue
        with suppress(ConfigError):
            for name, judged in agreements(task, few, maps(network, few)).items():
                found.setdefault(name, []).append(judged)
    return {name: pooled(parts) for name, parts in found.items()}


def evenly_spread(task: Task[Any], positions: int) -> list[Batch]:
    """Batches of the validation split with about so many positions. They may be sorted by length: each is the middle
    one of an equal part of them."""
    sizes = [batch.positions for batch in task.batches("validation", 0) if batch.scored]
    parts = min(len(sizes), max(1, round(positions * len(sizes) / sum(sizes))))
    middles = {(2 * part + 1) * len(sizes) // (2 * parts) for part in range(parts)}
    scored = (batch for batch in task.batches("validation", 0) if batch.scored)
    return [batch for index, batch in enumerate(scored) if index in middles]


def _loss_without(network: Network[Any], batches: Sequence[Batch], read: ReadHeads, columns: slice) -> float:
    with without(read, columns):
        return _loss(network, batches)


@torch.no_grad()
def _loss(network: Network[Any], batches: Sequence[Batch]) -> float:
    """Nats a target, each batch read from the initial state: with a cache, in which longer texts fit too."""
    device, nats = next(network.parameters()).device, 0.0
    with evaluating(network):
        for batch in batches:
            nats += float(network(batch.to(device), network.initial_state(batch.size, cached=True)).loss_sum)
    return nats / sum(batch.target_count for batch in batches)


@contextmanager
def without(read: ReadHeads, columns: slice) -> Iterator[None]:
    """What the head with these columns has looked up is read as zeros for a while."""

    def silence(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values, *rest = given
        values = values.clone()
        values[..., columns] = 0.0
        return (values, *rest)

    handle = read.by.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        handle.remove()


def heads(task: Task[Any], network: Network[Any]) -> list[Picture]:
    """One picture of all heads of a network with attention. Raises ConfigError if there is nothing to tell."""
    found = measure(task, network)
    names = list(found.divergence_N)
    share_N = {name: judged.share_N for name, judged in found.agreement.items()}
    grids = {
        "rise of the loss without it, nats": _grid(names, found.rise_N),
        "divergence from the others, bits": _grid(names, found.divergence_N),
        "aligned, share of targets": _grid(names, share_N),
    }
    drawn = {title: value_MN for title, value_MN in grids.items() if not np.isnan(value_MN).all()}
    if not drawn:
        raise ConfigError("it has one head, which cannot be told apart from the rest of the network")
    rows = [plain(place_of(name)) for name in names]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
        for panel, (title, value_MN) in zip(panels, drawn.items(), strict=True):
            _draw_grid(panel, title, value_MN)
        panels[0].set_yticks(range(len(rows)), rows)

    judged = next(iter(found.agreement.values()), None)
    about = _ABOUT.format(
        loss=found.loss, positions=found.positions,
        aligned="" if judged is None else _ALIGNED.format(queries=judged.queries, chance=judged.chance),
    )  # fmt: skip
    data = {
        "loss": found.loss,
        "rise": {name: value_N.tolist() for name, value_N in found.rise_N.items()},
        "divergence": {name: value_N.tolist() for name, value_N in found.divergence_N.items()},
        "aligned": {name: value_N.tolist() for name, value_N in share_N.items()},
        **_extremes(grids),
    }
    if judged is not None:
        data["aligned_by_chance"] = judged.chance
    width = 1.8 + len(drawn) * (0.9 + 0.6 * max(3, *(value_MN.shape[1] for value_MN in drawn.values())))
    return [Picture("heads", "What each head of attention does", about, draw, width, 1.5 + 0.42 * len(rows), data)]


def _grid(names: Sequence[str], value_N: Mapping[str, Floats]) -> Floats:
    """value_MN: NaN where a module has no such figure, or fewer heads than others."""
    most = max((len(each_N) for each_N in value_N.values()), default=1)
    value_MN = np.full((len(names), most), np.nan)
    for row, name in enumerate(names):
        if name in value_N:
            value_MN[row, : len(value_N[name])] = value_N[name]
    return value_MN


def _extremes(grids: Mapping[str, Floats]) -> dict[str, float]:
    """Over all heads; without those of which nothing is known."""
    rise_MN, divergence_MN, aligned_MN = grids.values()
    found: dict[str, float] = {}
    if not np.isnan(rise_MN).all():
        found |= {"highest_rise": float(np.nanmax(rise_MN)), "lowest_rise": float(np.nanmin(rise_MN))}
    if not np.isnan(divergence_MN).all():
        found["mean_divergence"] = float(np.nanmean(divergence_MN))
    if not np.isnan(aligned_MN).all():
        found["best_aligned"] = float(np.nanmax(aligned_MN))
    return found


def _draw_grid(axes: Axes, title: str, value_MN: Floats) -> None:
    """Brighter is more; each cell has its number."""
    highest = max(float(np.nanmax(value_MN)), 1e-9)
    axes.imshow(value_MN, cmap="cividis", vmin=min(0.0, float(np.nanmin(value_MN))), vmax=highest, aspect="auto")
    for (row, head), value in np.ndenumerate(value_MN):
        if not math.isnan(value):
            ink = "#ffffff" if value < 0.55 * highest else "#101010"
            axes.text(head, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(value_MN.shape[1]), [str(head + 1) for head in range(value_MN.shape[1])])
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("head")
    axes.grid(visible=False)
