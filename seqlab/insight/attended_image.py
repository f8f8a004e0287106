"""Attention over an image: where a network looks as it writes each word (Xu 2015, "Show, attend and tell", figure 3).

T words, S patches, N heads, Y X rows and columns of patches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.example import Patches
from seqlab.core.meter import Table
from seqlab.drawing.picture import COLOURS, SOFT, Picture, plain
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS, _INCHES = 6, 1.25  # panels of a row, and the side of each

_ABOUT = (
    "The image as it is read, in {rows} x {columns} patches, and once for each word that is written: the stronger the "
    "colour, the more of the attention is on a patch as the word is chosen. {heads}The weights of a word sum to 1, and "
    "all words share one scale. The words are those that the network writes. A patch also knows something of its "
    "neighbours, so that a network may look beside what it names. In the table, the effective number of patches is 2 "
    "to the power of the entropy in bits: {most} if all have the same weight."
)


def attended_image(
    name: str,
    title: str,
    patches: Patches,
    words: Sequence[str],
    weight_NTS: Floats,
    data: Mapping[str, Any],
    tables: tuple[Table, ...],
) -> Picture:
    """A panel for each word, with the attention over the image, averaged over heads. words: as they are shown."""
    weight_TYX = weight_NTS.mean(0).reshape(-1, patches.rows, patches.columns)
    down = math.ceil((1 + len(words)) / _ACROSS)

    def draw(figure: Figure) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb

        glow = LinearSegmentedColormap.from_list("glow", [(*to_rgb(COLOURS[1]), alpha) for alpha in (0.0, 0.9)])
        scale = Normalize(0, float(weight_TYX.max()))
        panels = figure.subplots(down, _ACROSS, squeeze=False)
        for panel in panels.flat[1 + len(words) :]:
            panel.set_axis_off()
        _show(panels.flat[0], patches, "image")
        for panel, word, weight_YX in zip(panels.flat[1:], words, weight_TYX, strict=False):
            _show(panel, patches, word)
            panel.imshow(weight_YX, cmap=glow, norm=scale, interpolation="bilinear", extent=(0, 1, 0, 1))
        if patches.caption:
            figure.suptitle(f"true caption: {plain(patches.caption)}", fontsize=10, x=0.01, ha="left")
        figure.colorbar(ScalarMappable(scale, glow), ax=panels, pad=0.02, aspect=30, label="weight")

    heads = f"It is averaged over {len(weight_NTS)} heads. " if len(weight_NTS) > 1 else ""
    about = _ABOUT.format(
        rows=patches.rows, columns=patches.columns, heads=heads, most=patches.rows * patches.columns
    )  # fmt: skip
    size = (_ACROSS * _INCHES + 0.9, down * (_INCHES + 0.2) + (0.3 if patches.caption else 0.0))
    return Picture(name, title, about, draw, *size, data, tables)


def _show(panel: Axes, patches: Patches, title: str) -> None:
    """The image alone."""
    pixels = patches.pixels_HWC if patches.pixels_HWC.shape[-1] == 3 else np.repeat(patches.pixels_HWC, 3, -1)
    panel.imshow(pixels, interpolation="nearest", extent=(0, 1, 0, 1))
    panel.set_title(title, fontsize=10, pad=3)
    panel.set(xticks=[], yticks=[])
    for edge in panel.spines.values():  # white paper needs one on a white page
        edge.set(visible=True, color=SOFT, linewidth=0.5)
