"""Pictures that can be read by nearly everybody, on white and on dark, as PNG, as SVG and inside a page."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.core.meter import Table
from seqlab.errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by nearly everybody, on white and on dark grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6D31", "#999999")
STYLES = ("-", "--", "-.", ":")
SOFT = "#7a8188"  # for what stands in the background, on white and on dark
_MORE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans",
    "Arial Unicode MS",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Segoe UI Symbol",
)
_CHARACTERS_PER_INCH, _HANDLE, _LINE_INCHES = 12, 8, 0.22  # of a legend: its font; a line's sample, in characters
_LIGHT, _DARK = ("#1d2125", "#ffffff"), ("#e6e9ec", "#15181b")


@dataclass(frozen=True)
class Picture:
    """One picture, drawn on demand.

    name: of its files. about: how to read it, one paragraph. draw: fills a figure of `width` by `height` inches. data:
    the numbers that are drawn, as plain values. tables: further numbers, better read than drawn.
    """

    name: str
    title: str
    about: str
    draw: Callable[[Figure], None]
    width: float = 6.4
    height: float = 3.6
    data: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()

    def render(self, *, dark: bool = False, dpi: int = 160) -> bytes:
        """The picture as a PNG file."""
        ink, paper = _DARK if dark else _LIGHT
        return self._drawn(ink, paper, format="png", dpi=dpi)

    @cached_property
    def png(self) -> bytes:
        """The picture as a PNG file, on white."""
        return self.render()

    @cached_property
    def svg(self) -> str:
        """The picture for embedding in a page: no background, and ink in the page's colour, light or dark."""
        text = self._drawn("#000000", "none", format="svg", metadata={"Date": None}).decode("utf-8")
        # ids that do not clash with those of other pictures
        text = re.sub(r'\bid="|url\(#|href="#', lambda found: f"{found[0]}{self.name}-", text[text.index("<svg") :])
        return text.replace("#000000", "currentColor")

    @property
    def pdf(self) -> bytes:
        """The picture as a PDF file, on white, for a paper."""
        return self._drawn(*_LIGHT, format="pdf", metadata={"CreationDate": None})

    def save(self, folder: Path) -> None:
        """NAME.png and NAME-dark.png, and NAME.svg, which follows the reader's choice of light or dark."""
        (folder / f"{self.name}.png").write_bytes(self.png)
        (folder / f"{self.name}-dark.png").write_bytes(self.render(dark=True))
        (light, white), (pale, black) = _LIGHT, _DARK
        style = (
            f"<style>svg{{color:{light};background:{white}}}text{{fill:currentColor}}"
            f"@media(prefers-color-scheme:dark){{svg{{color:{pale};background:{black}}}}}</style>"
        )
        head, _, rest = self.svg.partition(">")
        (folder / f"{self.name}.svg").write_text(f"{head}>{style}{rest}", encoding="utf-8")

    def figure(self) -> Figure:
        """The picture as a matplotlib figure, on white, to be changed and saved."""
        with self._drawing(*_LIGHT) as made:
            made.draw_without_rendering()
        return made

    def _repr_png_(self) -> bytes:  # IPython's name
        return self.png

    def _drawn(self, ink: str, paper: str, **how: Any) -> bytes:
        out = io.BytesIO()
        with self._drawing(ink, paper) as made:
            made.savefig(out, **how)
        return out.getvalue()

    @contextmanager
    def _drawing(self, ink: str, paper: str) -> Iterator[Figure]:
        """The figure within its style, which must last until saving: only then are ticks laid out and coloured."""
        from matplotlib.figure import Figure

        with _style(ink, paper, self.name), warnings.catch_warnings():
            # a character that no font here has becomes a box
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            made = Figure(figsize=(self.width, self.height), layout="constrained")
            self.draw(made)
            yield made


def _style(ink: str, paper: str, name: str) -> AbstractContextManager[None]:
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
            "font.family": _families(),
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
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": name,
        }
    )


def plain(text: str) -> str:
    """The text with dollar signs escaped (no formulas) and no unprintable characters, which an SVG must not contain."""
    return printable(text).replace("$", r"\$")


def legend(text: str) -> str:
    """The same for a curve's label: matplotlib omits labels that begin with an underscore."""
    return plain(text).lstrip("_") or "?"


def legend_columns(labels: Sequence[str], width: float) -> int:
    """How many of these labels fit beside each other under a figure of so many inches."""
    return max(1, min(4, int(width * _CHARACTERS_PER_INCH) // (max(map(len, labels), default=0) + _HANDLE)))


def legend_height(labels: Sequence[str], width: float) -> float:
    """The inches that the legend takes under the figure."""
    return _LINE_INCHES * math.ceil(len(labels) / legend_columns(labels, width))


@cache
def _families() -> list[str]:
    """The fonts in which a character is looked up, in order: those of our list that this machine has."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _MORE_FONTS if name in there)]
