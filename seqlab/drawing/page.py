"""Pages: one file that holds everything, to be read without network, in light and dark, or printed."""

from __future__ import annotations

from importlib.resources import files
from typing import Any


def render(template: str, **values: Any) -> str:
    """The page from one of this folder's templates and the values, in which everything but Markup is escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    here = files("seqlab.drawing")
    environment = Environment(
        loader=FunctionLoader(lambda name: (here / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
