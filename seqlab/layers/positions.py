"""Position encodings. T time, D width, K width of a head (even)."""

from __future__ import annotations

import torch
from torch import Tensor


def _angles(positions: int, width: int) -> Tensor:
    """(T, D/2) radians: position / 10000^(2i/D), the wavelengths of Vaswani 2017, section 3.5."""
    frequency = torch.exp(-torch.arange(0, width, 2) * (torch.log(torch.tensor(10000.0)) / width))
    return torch.arange(positions)[:, None] * frequency


def sinusoids(positions: int, width: int) -> Tensor:
    """(T, D): sine in even dimensions, cosine in odd ones (Vaswani 2017, section 3.5)."""
    angle = _angles(positions, width)
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)[:, :width]


def rotations(positions: int, width: int) -> Tensor:
    """(T, K): cosines of the K/2 angles, then their sines, for `rotate`."""
    angle = _angles(positions, width)
    return torch.cat((angle.cos(), angle.sin()), -1)


def rotate(x_BNTK: Tensor, rotation_TK: Tensor) -> Tensor:
    """Rotary position embedding (Su 2021, equation 34): rotates each pair (i, i + K/2) by its position's angle, so that
    a query's product with a key depends only on their distance."""
    cosine, sine = rotation_TK.to(x_BNTK.dtype).chunk(2, -1)
    first, second = x_BNTK.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)
