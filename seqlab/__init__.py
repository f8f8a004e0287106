"""seqlab: a command-line laboratory for deep sequence models."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqlab.runs.trained import load as load

__version__ = version("seqlab")
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # `load` brings torch along, which takes seconds: `seqlab --help` must not pay for it.
    if name == "load":
        from seqlab.runs.trained import load

        return load
    raise AttributeError(f"module 'seqlab' has no attribute {name!r}")
