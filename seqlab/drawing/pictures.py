"""Several pictures with their explanations, for a page and for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from seqlab.core.meter import Table
from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pictures(tuple[Picture, ...]):
    """Pictures that a notebook shows, each with its title, how to read it, and its tables."""

    @property
    def figures(self) -> list[Figure]:
        """The same as matplotlib's figures, drawn anew: figure.savefig("states.pdf"), figure.axes, ..."""
        return [picture.figure() for picture in self]

    def __repr__(self) -> str:
        return "\n".join(f"{picture.name}: {picture.title}" for picture in self)

    def _repr_html_(self) -> str:  # IPython's name
        return render("pictures.html.j2", pictures=for_page(self))


def for_page(pictures: Iterable[Picture]) -> list[dict[str, Any]]:
    """The pictures as values for pictures.html.j2."""
    from markupsafe import Markup

    return [
        {
            "name": picture.name,
            "title": picture.title,
            "about": picture.about,
            # safe: our own drawing, in which matplotlib has escaped any text of the user's
            "svg": Markup(picture.svg),
            "tables": [_cells(table) for table in picture.tables],
        }
        for picture in pictures
    ]


def _cells(table: Table) -> dict[str, Any]:
    words = [table.is_text(column) for column in range(len(table.headings))]

    def cells(row: Sequence[str | float]) -> list[dict[str, Any]]:
        texts = (cell if isinstance(cell, str) else f"{cell:.3g}" for cell in row)
        return [{"text": text, "words": is_text} for text, is_text in zip(texts, words, strict=True)]

    return {"title": table.title, "headings": cells(table.headings), "rows": [cells(row) for row in table.rows]}
