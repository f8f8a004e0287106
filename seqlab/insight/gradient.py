"""How far back the loss reaches: the vanishing gradient, measured.

For a recurrent network the norm of dL_t / dh_{t-k}, h being all that it carries from step to step (an LSTM's h and c
together), and for one that carries nothing that of dL_t / dx_{t-k}, x being its inputs. After Pascanu 2013, section 2.
N positions t, K lags k = 1, 2, ...
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from seqlab.drawing.picture import COLOURS, SOFT, STYLES, Picture, legend
from seqlab.errors import ConfigError
from seqlab.insight.subject import Subject, check_same_data, longest_context
from seqlab.insight.watching import inputs_of, models_in, uncached_state
from seqlab.interfaces import Batch, Network, evaluating, tensors
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POSITIONS = 256
_SMALL = 0.01  # of the maximum: as good as forgotten

_ABOUT = (
    "The loss at position t, differentiated by what the network held k positions earlier: how much would a small "
    "change back then change the loss now? Lines are medians over positions of the test split, bands hold the middle "
    "half of them, and each curve is divided by its maximum. A straight line downwards is a gradient that vanishes "
    "exponentially: below the dotted line (1 %) training hears next to nothing of what stood there.{wrt} On the "
    "right: the norm of the gradient in training before clipping, its highest value in each log interval in pale, and "
    "the norm to which longer ones were cut."
)


@dataclass(frozen=True)
class Reach:
    """Norms by position and lag. state_NK: with respect to the carried state, None where nothing is carried. input_NK:
    to the inputs."""

    state_NK: Floats | None
    input_NK: Floats

    @property
    def norms(self) -> Floats:
        """(N, K): to the state where there is one."""
        return self.input_NK if self.state_NK is None else self.state_NK


def measure(network: Network[Any], batches: Sequence[Batch], window: int) -> Reach:
    """Read each batch, whose rows have a target at their end alone, and follow the loss back `window` steps. What
    stands before them is read without being followed, so that the state there is an ordinary one."""
    states, inputs = [], []
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in wanted:  # nobody needs the weights' gradients
        parameter.requires_grad_(False)
    try:
        with evaluating(network), torch.enable_grad():
            for batch in batches:
                state_NK, input_NK = _follow(network, batch, window)
                states.append(state_NK)
                inputs.append(input_NK)
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
    of_state = None if states[0] is None else torch.cat([part for part in states if part is not None])
    return Reach(None if of_state is None else np.asarray(of_state.double()), np.asarray(torch.cat(inputs).double()))


def _follow(network: Network[Any], batch: Batch, window: int) -> tuple[Tensor | None, Tensor]:
    """(norms to the states or None, to the inputs), each (N, K)."""
    state = uncached_state(network, batch.size)
    *before, last = batch.windows(window)
    if not any(part.is_floating_point() for part in tensors(state)):
        with inputs_of(models_in(network)[0]) as given:
            network(last, state).loss_sum.backward()
        return None, _norms([part_BD[:, None] for part_BD in _grad(given[0]).unbind(1)], given=False)
    with torch.no_grad():
        for piece in before:
            state = network(piece, state).state
    states: list[list[Tensor]] = []
    with inputs_of(models_in(network)[0]) as given:
        for step in last.windows(1):
            held = [part for part in tensors(state) if part.is_floating_point()]  # a counter has no gradient
            for part in held:
                if part.requires_grad:
                    part.retain_grad()
                else:
                    part.requires_grad_()
            states.append(held)
            output = network(step, state)
            state = output.state
    output.loss_sum.backward()
    by_step = [torch.cat([_grad(part).flatten(1) for part in held], 1) for held in states]
    return _norms(by_step, given=True), _norms([_grad(x_BTD) for x_BTD in given], given=False)


def _grad(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _norms(by_step: Sequence[Tensor], *, given: bool) -> Tensor:
    """(N, K) norms for k = 1, 2, ... of gradients in the order of time. given: the last of them is that of what the
    last step was given, which is k = 1; else of what it read, which is k = 0 and left out: it needs no memory."""
    norm_NT = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in by_step], 1)
    return norm_NT.flip(1) if given else norm_NT.flip(1)[:, 1:]


def lag_under(median_K: Floats, share: float = _SMALL) -> int | None:
    """The first lag, after that of the maximum, at which the curve is under this share of it; None if it never is."""
    top = int(np.argmax(median_K))
    under = np.flatnonzero(median_K[top:] < share * median_K[top])
    return None if len(under) == 0 else top + int(under[0]) + 1


def gradient(subjects: Sequence[Subject]) -> list[Picture]:
    """The view of one run, or of several over each other."""
    check_same_data(subjects)
    reaches, windows = [], []
    for subject in subjects:
        window = longest_context(subject.task, 2 * subject.task.longest()) // 2
        if window < 2:
            raise ConfigError("its window is a single token: nothing reaches back")
        batches = list(subject.task.contexts("test", 2 * window, 2 * window, _POSITIONS))
        reaches.append(measure(subject.network, batches, window))
        if not np.isfinite(reaches[-1].norms).all():
            raise ConfigError("its gradients are not finite: there is nothing to compare")
        windows.append(window)
    clips = [subject.trained.config.trainer.clip_norm for subject in subjects]
    histories = [norm_history(subject.trained.folder) for subject in subjects]
    data = [
        _plain_values(subject, reach, window, clip)
        for subject, reach, window, clip in zip(subjects, reaches, windows, clips, strict=True)
    ]
    carriers = [s.label for s, reach in zip(subjects, reaches, strict=True) if reach.state_NK is None]
    wrt = f" {', '.join(carriers)} carries no state: its inputs stand for it." if carriers else ""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for index, (subject, reach) in enumerate(zip(subjects, reaches, strict=True)):
            _draw_reach(left, subject.label, reach, index)
        _finish_reach(left, reaches)
        for index, history in enumerate(histories):
            _draw_history(right, history, index)
        for clip in {clip for clip in clips if clip is not None}:
            right.axhline(clip, color=SOFT, linewidth=1.2, linestyle=(0, (4, 2)))
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 8}
            right.annotate(f"clipped to {clip:g}", (1, clip), (0, 3), ha="right", **place)
        right.set(yscale="log", xlabel="optimizer step", ylabel="gradient norm", title="norm in training")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter("{x:g}")
        right.tick_params(axis="y", which="minor", labelsize=7)
        figure.legend(loc="outside lower center", ncols=2)

    return [
        Picture("gradient", "How far back the loss reaches", _ABOUT.format(wrt=wrt), draw, 9.6, 4.4, {"runs": data})
    ]


def _plain_values(subject: Subject, reach: Reach, window: int, clip: float | None) -> dict[str, Any]:
    def curve(norm_NK: Floats) -> dict[str, Any]:
        low_K, median_K, high_K = np.percentile(norm_NK, (25, 50, 75), axis=0)
        return {
            "median": median_K.tolist(),
            "quartiles": [low_K.tolist(), high_K.tolist()],
            "lag_under_1_percent": lag_under(median_K),
        }

    return {
        "run": str(subject.trained.folder),
        "label": subject.label,
        "window": window,
        "positions": len(reach.input_NK),
        "clip_norm": clip,
        "state": None if reach.state_NK is None else curve(reach.state_NK),
        "inputs": curve(reach.input_NK),
    }


def _draw_reach(axes: Axes, label: str, reach: Reach, index: int) -> None:
    low_K, median_K, high_K = np.percentile(reach.norms, (25, 50, 75), axis=0)
    lag_K, top, under = np.arange(1, len(median_K) + 1), median_K.max(), lag_under(median_K)
    colour, style = COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)]
    where = "inputs" if reach.state_NK is None else "state"
    reached = f"under 1 % at {under}" if under is not None else f"over 1 % up to {len(median_K)}"
    axes.plot(lag_K, median_K / top, style, color=colour, linewidth=1.8, label=f"{legend(label)} ({where}): {reached}")
    axes.fill_between(lag_K, low_K / top, high_K / top, color=colour, alpha=0.18, linewidth=0)
    if under is not None:
        axes.plot([under], [median_K[under - 1] / top], "o", color=colour, markersize=6)


def _finish_reach(axes: Axes, reaches: Sequence[Reach]) -> None:
    axes.axhline(_SMALL, color=SOFT, linewidth=1.2, linestyle=(0, (1, 2)))
    medians = [np.median(reach.norms, axis=0) for reach in reaches]
    lowest = min(float((median_K / median_K.max()).min()) for median_K in medians)
    axes.set(
        yscale="log",
        ylim=(max(1e-8, 10 ** math.floor(math.log10(max(lowest, 1e-12)))), 3),
        xlabel="k: positions back",
        ylabel=r"$\Vert\,\partial L_t / \partial h_{t-k}\,\Vert$  /  its maximum",
        title="gradient of the loss at t",
    )


def norm_history(folder: Path) -> list[tuple[int, float, float]]:
    """(step, mean norm, highest norm) of each log line of a run."""
    found = []
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            record = json.loads(line)
            mean, highest = float(record["optim/gradient_norm"]), float(record["optim/gradient_norm_max"])
            found.append((int(record["step"]), mean, highest))
        except (ValueError, TypeError, KeyError):  # a validation's line, or half a line
            continue
    return found


def _draw_history(axes: Axes, history: Sequence[tuple[int, float, float]], index: int) -> None:
    if history:
        step, mean, highest = zip(*history, strict=True)
        axes.plot(step, highest, color=COLOURS[index % len(COLOURS)], alpha=0.3, linewidth=1)
        axes.plot(step, mean, color=COLOURS[index % len(COLOURS)], linewidth=1.4)
