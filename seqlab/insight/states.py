"""What hidden units and gates do while a text is read, and which features of the text single units follow (after
Karpathy 2015).

T positions, H units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.example import example_reader, example_source
from seqlab.core.meter import Table
from seqlab.core.model import context_of
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import COLOURS, SOFT, Picture, plain
from seqlab.errors import DataError
from seqlab.insight.following import Follower, features, followers
from seqlab.insight.signals import Signals, signals_of
from seqlab.insight.watching import models_in, shown, truncation
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN_TOKENS, _SHOWN_UNITS = 96, 40
_SEARCHED_TOKENS, _ENOUGH_TOKENS = 6000, 500
_NAMED = 3
_WORTH_NAMING = 0.4  # lower correlations are too weak to show

_ABOUT = (
    "Each row is a hidden unit of {module} (the last layer, where there are several), each column a token, in reading "
    "order; colour is the unit's value. Units are sorted by their variance over this text, highest on top; {shown} of "
    "{all} are drawn."
)
_OTHERS = (
    " Below are the model's other signals, {names}{order}; those between 0 and 1, as gates are, from dark (closed) to "
    "bright (open)."
)
_SAME_ORDER = ", for the same units in the same order"
_OWN_ORDER = " (not by unit, with rows of its own, sorted by variance: {names})"
_CURVES = (
    " The curves are units that follow a feature of the text, which is shaded. They were chosen on the first half of a "
    "longer text ({searched} tokens of the validation split), and r is the correlation on the other half: among {all} "
    "units one always fits by chance."
)


@dataclass(frozen=True)
class _Drawn:
    """The content of the picture: tokens (T) and what they are called, signals cut to them, and the units that get a
    curve."""

    tokens: tuple[str, ...]
    called: str
    hidden_TH: Floats
    others: dict[str, Floats]
    order_H: Any
    curves: list[Follower]


def states(task: Task[Any], network: Network[Any], text: str | None, *, search: bool = True) -> Picture:
    """Hidden units and gates over a text, by default one that the task chooses. search: also look for units that follow
    a feature of the text, in a longer one."""
    limit = context_of(models_in(network)[0])
    if text is None:
        text = example_source(task).example_text(min(_SHOWN_TOKENS, limit or _SHOWN_TOKENS))
    example = example_reader(task).example(network, text)
    seen = signals_of(network, example)
    read = example.tokens_of(seen.module, len(seen.hidden_TH))
    # a model of limited context was never trained to read as much at once as the search needs
    found, searched = _search(task, network) if search and limit is None else ([], 0)
    drawn = _drawn(seen, read[:_SHOWN_TOKENS], example.unit, found)
    about = _about(seen, drawn, searched)
    if len(drawn.tokens) < len(read):
        about += f" The first {len(drawn.tokens)} of {len(read):,} tokens are drawn."
    about += truncation(example)
    rows = tuple((follower.feature, f"{follower.unit}", follower.correlation) for follower in found)
    table = Table("features of the text, and the unit that follows each best", ("feature", "unit", "r"), rows)
    data = {
        "units": drawn.order_H.tolist(),
        "followers": [vars(follower) for follower in found],
        "tokens": list(drawn.tokens),
        "hidden": np.round(drawn.hidden_TH[:, drawn.order_H], 4).tolist(),
        "signals": list(drawn.others),
    }
    height = 3.4 + 1.3 * len(drawn.others) + 0.8 * len(drawn.curves)
    title = "Hidden units and gates" if drawn.others else "Hidden units"
    tables = (table,) if rows else ()
    return Picture("states", title, about, lambda figure: _draw(figure, drawn), 11.0, height, data, tables)


def _drawn(seen: Signals, tokens: tuple[str, ...], called: str, found: list[Follower]) -> _Drawn:
    hidden_TH = seen.hidden_TH[: len(tokens)]
    others = {name: value_TH[: len(tokens)] for name, value_TH in seen.others.items()}
    curves = [follower for follower in found if abs(follower.correlation) >= _WORTH_NAMING][:_NAMED]
    return _Drawn(tokens, called, hidden_TH, others, _most_variable(hidden_TH), curves)


def _most_variable(value_TH: Floats) -> Any:
    """The units that are drawn, by their variance."""
    return np.argsort(-value_TH.var(0), kind="stable")[:_SHOWN_UNITS]


def _about(seen: Signals, drawn: _Drawn, searched: int) -> str:
    units = seen.hidden_TH.shape[1]
    about = _ABOUT.format(module=seen.module, shown=len(drawn.order_H), all=units)
    if drawn.others:
        *most, last = drawn.others
        apart = [name for name, value_TH in drawn.others.items() if value_TH.shape[1] != units]
        order = _SAME_ORDER * (len(apart) < len(drawn.others)) + _OWN_ORDER.format(names=", ".join(apart)) * bool(apart)
        about += _OTHERS.format(names=f"{', '.join(most)} and {last}" if most else last, order=order)
    about += "".join(f" {meaning}" for name, meaning in seen.meanings.items() if name in drawn.others)
    return about + _CURVES.format(searched=f"{searched:,}", all=units) * bool(drawn.curves)


def _search(task: Task[Any], network: Network[Any]) -> tuple[list[Follower], int]:
    """(units that follow a feature of a long text, its tokens); none where texts are short."""
    try:
        text = example_source(task).example_text(_SEARCHED_TOKENS)
    except DataError:  # the corpus is gone, and the text that is drawn is the user's own
        return [], 0
    example = example_reader(task).example(network, text)
    if len(example.tokens) < _ENOUGH_TOKENS:
        return [], 0
    seen = signals_of(network, example)
    read = example.tokens_of(seen.module, len(seen.hidden_TH))
    return followers(seen.hidden_TH, features(read)), len(read)


def _draw(figure: Figure, drawn: _Drawn) -> None:
    heights = [3.0, *(1.6 for _ in drawn.others), *(0.75 for _ in drawn.curves)]
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for panel in panels[:-1]:
        panel.xaxis.set_visible(False)  # they share the last one's
    _heat(panels[0], figure, drawn.hidden_TH[:, drawn.order_H], "hidden units", signed=True)
    for panel, (name, value_TH) in zip(panels[1:], drawn.others.items(), strict=False):
        same_units = value_TH.shape == drawn.hidden_TH.shape
        shown_TH = value_TH[:, drawn.order_H if same_units else _most_variable(value_TH)]
        _heat(panel, figure, shown_TH, plain(name), signed=value_TH.min() < 0 or value_TH.max() > 1)
    if drawn.others:
        panels[1].set_title("the model's other signals, by name", fontsize=9, loc="left", pad=2)
    feature_of = features(drawn.tokens)
    for panel, follower in zip(panels[1 + len(drawn.others) :], drawn.curves, strict=True):
        _curve(panel, drawn.hidden_TH[:, follower.unit], follower, feature_of.get(follower.feature))
    panels[-1].set_xticks(range(len(drawn.tokens)), [plain(shown(token)) for token in drawn.tokens], fontsize=6.5)
    if any(len(token) > 1 for token in drawn.tokens):
        panels[-1].tick_params(axis="x", labelrotation=90)
    panels[-1].set_xlabel(drawn.called)


def _heat(axes: Axes, figure: Figure, value_TH: Floats, name: str, *, signed: bool) -> None:
    limit = float(np.abs(value_TH).max()) or 1.0
    colours, low, high = ("RdBu_r", -limit, limit) if signed else ("cividis", 0.0, 1.0)
    image = axes.imshow(value_TH.T, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set(ylabel=name, yticks=[])
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label="value", pad=0.01)


def _curve(axes: Axes, unit_T: Floats, follower: Follower, feature_T: Floats | None) -> None:
    position_T = np.arange(len(unit_T))
    if feature_T is not None:
        share_T = feature_T / feature_T.max()
        twin = axes.twinx()
        twin.fill_between(position_T, 0, share_T, step="mid", color=SOFT, alpha=0.25, linewidth=0)
        twin.set(ylim=(0, 1), yticks=[])
        twin.grid(visible=False)
    axes.plot(position_T, unit_T, color=COLOURS[0], linewidth=1.3)
    axes.grid(visible=False)
    axes.set_ylabel(f"unit {follower.unit}", rotation=0, ha="right", va="center")
    r = f"{follower.correlation:.2f}".replace("-", "−")
    axes.set_title(f"{follower.feature}, r = {r}", fontsize=9, loc="left", pad=2)
