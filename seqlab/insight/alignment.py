"""Where in a recording each character is written (after Graves 2006, figure 1): the spectrogram with the likeliest path
over it, and the probabilities of symbols.

T frames, F features, P positions, S symbols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.alignment import Alignment, alignment_source
from seqlab.core.example import example_source
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import COLOURS, SOFT, Picture, plain
from seqlab.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POSITIONS = 60  # of the recording that is chosen, about
_BANDS = 5  # that are named on the axis

_ABOUT = (
    "Above, the spectrogram of a recording{of}: the brighter, the more power. A line stands where the likeliest path "
    "begins to write a character, which is named on top: the network writes {written}{target}. Below, the probability "
    "of each symbol at each position. Grey is the blank, which writes nothing and separates equal characters. Training "
    "never says where a character is: it sums over all paths, and the network chooses one. A character that several "
    "positions in a row write counts once."
)


def alignment(task: Task[Any], network: Network[Any], text: str | None) -> list[Picture]:
    """The recording that a text names, by default one that the task chooses."""
    source = alignment_source(task)
    name = example_source(task).example_text(_POSITIONS) if text is None else text
    found = source.alignment(network, name)
    if not np.isfinite(found.probability_PS).all():
        raise ConfigError("its probabilities are not finite", "its weights have diverged: train it again")

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_spectrum(above, found)
        _draw_probabilities(below, found)

    target = "" if found.target is None else f", and {found.target!r} is right"
    about = _ABOUT.format(
        of=f" ({name})" if text is None else "", written=repr(found.text) if found.text else "nothing", target=target
    )
    data = {
        "text": found.text,
        "target": found.target,
        "seconds": [round(place * found.position_seconds, 4) for place, _ in found.written],
        "characters": [found.symbols[symbol] for _, symbol in found.written],
        "probabilities": [float(found.probability_PS[place, symbol]) for place, symbol in found.written],
    }
    seconds = len(found.spectrum_TF) * found.frame_seconds
    return [
        Picture("alignment", "Where each character is written", about, draw, max(6.4, min(14, 3 * seconds)), 4.6, data)
    ]


def _draw_spectrum(axes: Axes, found: Alignment) -> None:
    frames, bands = found.spectrum_TF.shape
    extent = (0, frames * found.frame_seconds, -0.5, bands - 0.5)
    axes.imshow(
        found.spectrum_TF.T, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", extent=extent
    )
    for place, symbol in found.written:
        time = (place + 0.5) * found.position_seconds
        axes.axvline(time, color="white", linewidth=0.8, alpha=0.8)
        axes.annotate(
            plain(_visible(found.symbols[symbol])), (time, 1), xytext=(0, 3), textcoords="offset points",
            xycoords=("data", "axes fraction"), ha="center", fontsize=10, color=_colour(found, symbol),
        )  # fmt: skip
    ticks = np.linspace(0, bands - 1, min(_BANDS, bands)).round().astype(int).tolist()
    axes.set_yticks(ticks, [f"{found.hertz_F[tick]:,.0f}" for tick in ticks])
    axes.set_ylabel("Hz")


def _draw_probabilities(axes: Axes, found: Alignment) -> None:
    second_P = (np.arange(len(found.probability_PS)) + 0.5) * found.position_seconds
    axes.plot(second_P, found.probability_PS[:, 0], color=SOFT, linewidth=0.9)
    for symbol in dict.fromkeys(symbol for _, symbol in found.written):
        colour = _colour(found, symbol)
        axes.plot(second_P, found.probability_PS[:, symbol], color=colour, linewidth=1.5)
        axes.fill_between(second_P, found.probability_PS[:, symbol], color=colour, alpha=0.25, linewidth=0)
    axes.set(xlabel="seconds", ylabel="probability", ylim=(0, 1.02))


def _colour(found: Alignment, symbol: int) -> str:
    """The same for a symbol wherever it is written; symbols that are written next to each other differ, mostly."""
    order = list(dict.fromkeys(written for _, written in found.written))
    return COLOURS[order.index(symbol) % len(COLOURS)]


def _visible(character: str) -> str:
    return "␣" if character == " " else character
