"""What hidden units and gates do while a text is read, and what single units keep track of (after Karpathy 2015).

T positions, H units, F features of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqlab.core.example import Example, example_reader, example_source
from seqlab.core.meter import Table
from seqlab.core.model import SequenceModel, context_of
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import COLOURS, SOFT, Picture, plain
from seqlab.errors import ConfigError, DataError
from seqlab.insight.watching import Call, calls_of, check_finite, left_out, models_in, shown
from seqlab.layers.recurrent import RecurrentStack
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN_TOKENS, _SHOWN_UNITS = 96, 40
_STUDIED_TOKENS, _ENOUGH_TOKENS = 6000, 500
_NAMED = 3
_WORTH_NAMING = 0.4

_ABOUT = (
    "Each row is a hidden unit of {where}, each column a token, in the order of reading; colour is the unit's value. "
    "Units stand in the order of their variance over this text, the liveliest on top; {shown} of {all} are drawn."
)
_GATES = " Under them are the gates of the same units, in the same order: bright is open."
_MEANING = {
    "forget": " Where a forget gate stays bright, a cell keeps what it holds.",
    "update": " Where an update gate stays bright, a unit keeps its old state.",
    "reset": " Where a reset gate is dark, a unit starts afresh.",
}
_CURVES = (
    " The curves are units that follow something simple, which is shaded. They were chosen on the first half of a "
    "longer text ({studied} tokens of the validation split), and their correlation r is that on the other half: among "
    "{all} units one always fits by luck."
)


@dataclass(frozen=True)
class Trace:
    """What the units of a module did while a text was read: values (T, H), and each gate's (T, H)."""

    module: str
    where: str
    hidden_TH: Floats
    gates: dict[str, Floats]


def trace(network: Network[Any], example: Example[Any]) -> Trace:
    """Of the last layer of the first recurrent stack that reads the text; where there is none, of the first model."""
    calls = calls_of(network, example, nn.Module)
    stacks = [name for name, call in calls.items() if isinstance(call.module, RecurrentStack)]
    if not stacks:
        # of a model that a wrapper reads by a method of its own, the parts are called
        name = next((name for name, call in calls.items() if isinstance(call.module, SequenceModel)), None)
        if name is None:
            raise ConfigError("it calls no sequence model while it reads")
        return Trace(name, f"{name}'s output", _array(calls[name].outcome[0][0]), {})
    name = stacks[0]
    last = calls[[kernel for kernel in calls if kernel.startswith(f"{name}.kernels.")][-1]]
    where = "the last recurrent layer" + (", reading forwards" if name.endswith("ahead") else "")
    return Trace(name, where, _array(last.outcome[0][0]), _gates(last))


@torch.no_grad()
def _gates(call: Call[nn.Module]) -> dict[str, Floats]:
    """The gates of a layer over time."""
    assert isinstance(call.module, SequenceModel)
    found = call.module.signals(*call.arguments)
    return {name: _array(value_BTH[0]) for name, value_BTH in found.items() if name not in ("hidden", "candidate")}


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().double().numpy())


# --- what a unit may follow ---------------------------------------------------------------------------


def features(tokens: Sequence[str]) -> dict[str, Floats]:
    """Simple things that can be followed through a text, (T,) each, by name; those that never change are left out.

    Quotes and brackets are taken as closed where a paragraph ends, so that one that is never closed does no harm.
    """
    columns: dict[str, list[float]] = {
        "inside quotes": [], "inside brackets": [], "place in the line": [], "indentation": [], "place in the word": [],
        "capital letter": [], "place in the text": [],
    }  # fmt: skip
    quoted, depth, line, indent, letters, before = False, 0, 0, 0, 0, ""
    for place, token in enumerate(tokens):
        if token == "\n":
            if before == "\n":
                quoted, depth = False, 0
            line = indent = 0
        else:
            indent += token == " " and indent == line
            line += 1
        if token in ('"', "“", "”"):
            quoted = not quoted
        depth = max(0, depth + (token in ("(", "[", "{")) - (token in (")", "]", "}")))
        letters = letters + 1 if token.isalnum() else 0
        before = token
        values = (quoted, depth > 0, line, indent, letters, token.isupper(), place)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(float(value))
    if "\n" in tokens:
        del columns["place in the text"]
    else:  # one line: its places are those of the text
        del columns["place in the line"], columns["indentation"]
    if any(len(token) > 1 for token in tokens):  # words have no places in words
        del columns["place in the word"]
    found = {name: np.array(column) for name, column in columns.items()}
    return {name: column for name, column in found.items() if len(set(column)) > 1}


@dataclass(frozen=True)
class Follower:
    """A unit and what it follows: Pearson's r on text that did not choose it."""

    unit: int
    feature: str
    correlation: float


def followers(hidden_TH: Floats, features_T: dict[str, Floats]) -> list[Follower]:
    """For each feature the unit that follows it best, by the text's first half; the best on the other half first."""
    half = len(hidden_TH) // 2
    found = []
    for name, column_T in features_T.items():
        if half < 2 or column_T[:half].std() == 0 or column_T[half:].std() == 0:
            continue
        unit = int(np.argmax(np.abs(_correlations(hidden_TH[:half], column_T[:half]))))
        r = float(_correlations(hidden_TH[half:, [unit]], column_T[half:])[0])
        found.append(Follower(unit, name, r))
    return sorted(found, key=lambda follower: -abs(follower.correlation))


def _correlations(hidden_TH: Floats, column_T: Floats) -> Floats:
    """Pearson's r of each unit with a feature; 0 for a unit that never changes."""
    unit_TH, other_T = hidden_TH - hidden_TH.mean(0), column_T - column_T.mean()
    scale_H = np.sqrt((unit_TH**2).sum(0) * (other_T**2).sum())
    return np.asarray(np.divide(other_T @ unit_TH, scale_H, out=np.zeros(len(scale_H)), where=scale_H > 0))


# --- the picture --------------------------------------------------------------------------------------


def states(task: Task[Any], network: Network[Any], text: str | None, *, study: bool = True) -> Picture:
    """Units and gates over a text, or a passage. study: also look for units that follow something, in a longer one."""
    limit = context_of(models_in(network)[0])
    carries = limit is None
    length = min(_SHOWN_TOKENS, limit or _SHOWN_TOKENS)
    example = example_reader(task).example(network, example_source(task).example_text(length) if text is None else text)
    seen = trace(network, example)
    check_finite(seen.hidden_TH, "its hidden units")
    read = example.read_by(seen.module, len(seen.hidden_TH))
    tokens = read[:_SHOWN_TOKENS]
    # what carries nothing was never taught to read so much at once
    named, studied = _study(task, network) if study and carries else ([], 0)
    hidden_TH = seen.hidden_TH[: len(tokens)]
    order_H = np.argsort(-hidden_TH.var(0), kind="stable")[:_SHOWN_UNITS]
    curves = [follower for follower in named if abs(follower.correlation) >= _WORTH_NAMING][:_NAMED]
    below = features(tokens)

    def draw(figure: Figure) -> None:
        heights = [3.0, *(1.6 for _ in seen.gates), *(0.75 for _ in curves)]
        panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        for panel in panels[:-1]:
            panel.tick_params(axis="x", bottom=False)
        limit = float(np.abs(hidden_TH[:, order_H]).max()) or 1.0
        _heat(panels[0], figure, hidden_TH[:, order_H], "units", "value", "RdBu_r", (-limit, limit))
        for panel, (gate, gate_TH) in zip(panels[1:], seen.gates.items(), strict=False):
            _heat(panel, figure, gate_TH[: len(tokens)][:, order_H], f"{gate} gate", "open", "cividis", (0, 1))
        for panel, follower in zip(panels[1 + len(seen.gates) :], curves, strict=True):
            _curve(panel, hidden_TH[:, follower.unit], follower, below.get(follower.feature))
        panels[-1].set_xticks(range(len(tokens)), [plain(shown(token)) for token in tokens], fontsize=6.5)
        if any(len(token) > 1 for token in tokens):
            panels[-1].tick_params(axis="x", labelrotation=90)
        panels[-1].set_xlabel("what is read")

    about = _ABOUT.format(where=seen.where, shown=len(order_H), all=hidden_TH.shape[1])
    if len(tokens) < len(read):
        about += f" The first {len(tokens)} of {len(read):,} tokens are drawn."
    about += left_out(example)
    about += _GATES * bool(seen.gates) + "".join(text for gate, text in _MEANING.items() if gate in seen.gates)
    about += _CURVES.format(studied=f"{studied:,}", all=hidden_TH.shape[1]) * bool(curves)
    rows = tuple((follower.feature, f"{follower.unit}", follower.correlation) for follower in named)
    tables = (
        (Table("what may be followed, and the unit that follows it best", ("what", "unit", "r"), rows),) if rows else ()
    )
    data = {
        "units": order_H.tolist(),
        "followers": [vars(follower) for follower in named],
        "tokens": list(tokens),
        "hidden": np.round(hidden_TH[:, order_H], 4).tolist(),
    }
    height = 3.4 + 1.3 * len(seen.gates) + 0.8 * len(curves)
    return Picture("states", "What its units do", about, draw, 11.0, height, data, tables)


def _study(task: Task[Any], network: Network[Any]) -> tuple[list[Follower], int]:
    """(units that follow something in a long text, its tokens); none where texts are short."""
    try:
        passage = example_source(task).example_text(_STUDIED_TOKENS)
    except DataError:  # the corpus is gone, and the text that is drawn is the user's own
        return [], 0
    example = example_reader(task).example(network, passage)
    if len(example.tokens) < _ENOUGH_TOKENS:
        return [], 0
    seen = trace(network, example)
    read = example.read_by(seen.module, len(seen.hidden_TH))
    return followers(seen.hidden_TH, features(read)), len(read)


def _heat(
    axes: Axes, figure: Figure, value_TH: Floats, what: str, scale: str, colours: str, limits: tuple[float, float]
) -> None:
    image = axes.imshow(
        value_TH.T, aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest"
    )
    axes.set(ylabel=what, yticks=[])
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=scale, pad=0.01)


def _curve(axes: Axes, unit_T: Floats, follower: Follower, feature_T: Floats | None) -> None:
    place_T = np.arange(len(unit_T))
    if feature_T is not None:
        share_T = feature_T / feature_T.max()
        twin = axes.twinx()
        twin.fill_between(place_T, 0, share_T, step="mid", color=SOFT, alpha=0.25, linewidth=0)
        twin.set(ylim=(0, 1), yticks=[])
        twin.grid(visible=False)
    axes.plot(place_T, unit_T, color=COLOURS[0], linewidth=1.3)
    axes.grid(visible=False)
    axes.set_ylabel(f"unit {follower.unit}", rotation=0, ha="right", va="center")
    r = f"{follower.correlation:.2f}".replace("-", "−")
    axes.set_title(f"{follower.feature}, r = {r}", fontsize=9, loc="left", pad=2)
