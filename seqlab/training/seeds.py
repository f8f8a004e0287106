"""Everything random derives from one seed through named streams, so that a new stream changes no other."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def stream_seed(seed: int, name: str, index: int = 0) -> int:
    """The seed (63 bits) of the stream `name`, for example ("data order", epoch)."""
    digest = hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_global_generators(seed: int, name: str, index: int = 0) -> None:
    """Seed the global generators by the stream (name, index): torch's, which dropout uses, and those of Python and
    NumPy, which a user's own model may use."""
    torch.manual_seed(stream_seed(seed, name, index))
    random.seed(stream_seed(seed, f"{name}, python", index))
    np.random.seed(stream_seed(seed, f"{name}, numpy", index) % 2**32)


def random_states(device: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The states of the global generators of torch, Python, NumPy and the device, if it has its own: (tensors, plain
    values)."""
    _, words, gauss = random.getstate()
    legacy: dict[str, Any] = np.random.get_state(legacy=False)
    tensors = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(words),
        "numpy": torch.tensor(legacy["state"]["key"].astype(np.int64)),
    }
    if device == "cuda":
        tensors[device] = torch.cuda.get_rng_state()
    elif device == "mps":
        tensors[device] = torch.mps.get_rng_state()
    return tensors, {
        "python_gauss": gauss,
        "numpy_position": int(legacy["state"]["pos"]),
        "numpy_gauss": float(legacy["gauss"]) if legacy["has_gauss"] else None,
    }


def set_random_states(device: str, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    """The inverse of random_states; the state of another device's generator is ignored."""
    torch.set_rng_state(tensors["torch"])
    random.setstate((3, tuple(tensors["python"].tolist()), rest["python_gauss"]))
    gauss = rest["numpy_gauss"]
    if not 0 <= rest["numpy_position"] <= 624:  # NumPy accepts any, and would read out of bounds
        raise ValueError(f"NumPy's generator has no position {rest['numpy_position']}")
    key = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, rest["numpy_position"], int(gauss is not None), gauss or 0.0))
    if device == "cuda" and device in tensors:
        torch.cuda.set_rng_state(tensors[device])
    elif device == "mps" and device in tensors:
        torch.mps.set_rng_state(tensors[device])
