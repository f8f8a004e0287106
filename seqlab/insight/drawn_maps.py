"""Maps of attention over two texts: scores beside weights, a head a row.

N heads, T query positions, S key positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqlab.drawing.picture import COLOURS
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DrawnMaps:
    """What is drawn of one module. names: what stands above each head. score_NTS: -inf where nothing is seen; None:
    weights alone. rows, columns: the tokens of queries and keys. answers: (column, row) of those that are marked."""

    names: Sequence[str]
    weight_NTS: Floats
    score_NTS: Floats | None
    rows: Sequence[str]
    columns: Sequence[str]
    answers: Sequence[tuple[int, int]]
    across: bool

    @property
    def _grid(self) -> tuple[int, int]:
        """(rows, columns) of panels: scores and weights side by side, or two heads."""
        heads = len(self.weight_NTS)
        if self.score_NTS is not None:
            return heads, 2
        return math.ceil(heads / 2), min(heads, 2)

    @property
    def size(self) -> tuple[float, float]:
        """In inches."""
        down, across = self._grid
        width, height = (1.5 + 0.085 * max(16, len(side)) for side in (self.columns, self.rows))
        return 0.8 + across * (width + 0.9), 0.8 + down * height

    def draw(self, figure: Figure) -> None:
        from matplotlib.colors import Normalize, PowerNorm

        panels = figure.subplots(*self._grid, squeeze=False, sharex=True, sharey=True).flat
        left = list(panels)
        for head, weight_TS in enumerate(self.weight_NTS):
            if self.score_NTS is not None:
                score_TS = np.where(np.isfinite(self.score_NTS[head]), self.score_NTS[head], np.nan)
                scale = Normalize(float(np.nanmin(score_TS)), float(np.nanmax(score_TS)))
                self._draw_map(figure, left.pop(0), score_TS, scale, "score", f"head {head + 1}: scores")
            self._draw_map(
                figure, left.pop(0), weight_TS, PowerNorm(0.5, 0, float(weight_TS.max())), "weight", self.names[head]
            )
        for panel in left:
            panel.set_axis_off()
        figure.supxlabel("keys: tokens of the source" if self.across else "keys", fontsize=10)
        figure.supylabel("queries: next token of the output" if self.across else "queries", fontsize=10)

    def _draw_map(
        self, figure: Figure, panel: Axes, value_TS: Floats, scale: Normalize, label: str, title: str
    ) -> None:
        image = panel.imshow(value_TS, cmap="cividis", norm=scale, aspect="auto", interpolation="nearest")
        panel.set_xticks(range(len(self.columns)), self.columns, fontsize=6)
        panel.set_yticks(range(len(self.rows)), self.rows, fontsize=6)
        if any(len(token) > 1 for token in self.columns):
            panel.tick_params(axis="x", labelrotation=90)
        if self.answers:
            x, y = zip(*self.answers, strict=True)
            panel.scatter(x, y, s=26, facecolors="none", edgecolors=COLOURS[1], linewidths=1.2)
        panel.grid(visible=False)
        panel.set_title(title, fontsize=9)
        figure.colorbar(image, ax=panel, pad=0.01, label=label)
