"""Pictures that can be read by nearly everybody, on white and on dark, as PNG, as SVG and inside a page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.interfaces import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by nearly everybody, on white and on dark grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6D31", "#999999")
STYLES = ("-", "--", "-.", ":")
SOFT = "#7a8188"  # for what stands in the background, on white and on dark
_LIGHT, _DARK = ("#1d2125", "#ffffff"), ("#e6e9ec", "#15181b")


@dataclass(frozen=True)
class Picture:
    """One picture, drawn when it is wanted.

    name: of its files. about: how to read it, one paragraph. draw: fills a figure of `width` by `height` inches.
    data: the numbers that are drawn, plain values. tables: what belongs to it and is better read than seen.
    """

    name: str
    title: str
    about: str
    draw: Callable[[Figure], None]
    width: float = 6.4
    height: float = 3.6
    data: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()

    def figure(self, *, dark: bool = False, ink: str | None = None) -> Figure:
        """The picture, drawn. ink: of text and axes, where that is not to be the usual one."""
        from matplotlib.figure import Figure

        usual, paper = _DARK if dark else _LIGHT
        with _style(ink or usual, paper):
            made = Figure(figsize=(self.width, self.height), layout="constrained")
            self.draw(made)
            made.canvas.draw()  # ticks take their colours when they are laid out
        return made

    def save(self, folder: Path) -> None:
        """NAME.png and NAME-dark.png, and NAME.svg, which follows the reader's choice of light or dark."""
        for suffix, dark in (("", False), ("-dark", True)):
            (folder / f"{self.name}{suffix}.png").write_bytes(self.png(dark=dark))
        (folder / f"{self.name}.svg").write_text(self.adaptive_svg(), encoding="utf-8")

    def png(self, *, dark: bool = False, dpi: int = 160) -> bytes:
        """The picture as a PNG file."""
        out = io.BytesIO()
        self.figure(dark=dark).savefig(out, format="png", dpi=dpi)
        return out.getvalue()

    def inline_svg(self) -> str:
        """The picture to stand inside a page, in the page's ink."""
        picture = self.figure(ink="#000000")
        for patch in (picture.patch, *(axes.patch for axes in picture.axes)):
            patch.set_alpha(0)
        text = _svg(picture, self.name)
        # ids that do not clash with those of other pictures
        text = re.sub(r'\bid="|url\(#|href="#', lambda found: f"{found[0]}{self.name}-", text[text.index("<svg") :])
        return text.replace("#000000", "currentColor")

    def adaptive_svg(self) -> str:
        """The picture as a file of its own, light or dark as its reader wants it."""
        (light, white), (pale, black) = _LIGHT, _DARK
        style = (
            f"<style>svg{{color:{light};background:{white}}}text{{fill:currentColor}}"
            f"@media(prefers-color-scheme:dark){{svg{{color:{pale};background:{black}}}}}</style>"
        )
        head, _, rest = self.inline_svg().partition(">")
        return f"{head}>{style}{rest}"


def _style(ink: str, paper: str) -> AbstractContextManager[None]:
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "text.color": ink,
            "axes.edgecolor": ink,
            "axes.labelcolor": ink,
            "axes.titlecolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "figure.facecolor": paper,
            "axes.facecolor": paper,
            "savefig.facecolor": paper,
            "font.size": 10,
            "axes.titlesize": 10.5,
            "axes.grid": True,
            "grid.color": SOFT,
            "grid.alpha": 0.25,
            "grid.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "legend.frameon": False,
            "legend.fontsize": 9,
        }
    )


def plain(text: str) -> str:
    """Text in which a dollar sign starts no formula, and which a legend does not leave out."""
    return text.replace("$", r"\$").lstrip("_") or "?"


def _svg(picture: Figure, name: str) -> str:
    """The picture as SVG whose text stays text."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        picture.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
