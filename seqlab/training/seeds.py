"""Everything random derives from one seed through named streams, so that adding one does not shift another."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, name: str, index: int = 0) -> int:
    """The seed (63 bits) of the stream `name`, for example ("data order", epoch)."""
    digest = hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
