"""What `seqlab inspect` draws, by name and in order. It imports nothing, so that the command line knows it at once."""

from __future__ import annotations

VIEWS = (
    "gradient", "memory", "length", "states", "attention", "heads", "positions", "bottleneck", "embedding", "forecast",
    "alignment", "confusion", "errors",
)  # fmt: skip
