"""Images with their captions, and batches of them.

Shape letters: N images, B batch, T caption, C channels, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.data.batches import TargetBatch
from seqlab.data.batching import Rows, in_batches
from seqlab.data.files import sha256_of
from seqlab.data.vocabulary import END, UnknownTokens, Vocabulary
from seqlab.data.words import NAMES, Unit

_PAPER = 255


@dataclass(frozen=True)
class CaptionedImages:
    """Captions, each with the index of its image: an image may have several. image_NCHW: values of 0 to 255."""

    image_NCHW: npt.NDArray[np.uint8]
    image_of: tuple[int, ...]
    captions: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """Digest of images and captions."""
        return sha256_of([self.image_NCHW.tobytes(), *map(str, self.image_of), *self.captions])

    def vectors(self) -> npt.NDArray[np.float32]:
        """Each image's pixels as one vector, from 0 to 1."""
        return self.image_NCHW.reshape(len(self.image_NCHW), -1).astype(np.float32) / np.float32(255)

    def of_length(self, longest: int) -> CaptionedImages:
        """Without the captions of more words than that."""
        kept = [pair for pair in zip(self.image_of, self.captions, strict=True) if len(pair[1].split()) <= longest]
        return replace(self, image_of=tuple(at for at, _ in kept), captions=tuple(text for _, text in kept))


@dataclass(frozen=True, kw_only=True)
class ImageBatch(TargetBatch):
    """Images, and the captions to be written for them."""

    image_BCHW: Tensor  # uint8


class EncodedCaptions:
    """A split with its captions as ids. longest: the most words of a caption; a longer one is cut, never left out."""

    def __init__(self, part: CaptionedImages, words: Vocabulary, longest: int) -> None:
        self.part, self.captions = part, part.captions
        self.image_NCHW, self.image_of = torch.from_numpy(part.image_NCHW), torch.tensor(part.image_of)
        self.ids = [[*words.encode(text.split())[:longest], END] for text in part.captions]
        self._rows = Rows(self.ids)
        self.longest = max(map(len, self.ids))

    def batches(
        self, batch_size: int, seed: int | None = None, shift: int = 0, degrees: float = 0.0
    ) -> Iterator[ImageBatch]:
        """One pass, in order. With a seed, in random order, and each image distorted at random."""
        generator = torch.Generator().manual_seed(seed or 0)
        for items_B in in_batches(len(self.ids), batch_size, seed):
            batch = self.gather(items_B)
            if shift or degrees:
                batch = replace(batch, image_BCHW=distorted(batch.image_BCHW, shift, degrees, generator))
            yield batch

    def gather(self, items_B: Tensor) -> ImageBatch:
        """The batch of the items with these indices."""
        target_BT, _ = self._rows.take(items_B)
        return ImageBatch(image_BCHW=self.image_NCHW[self.image_of[items_B]], target_BT=target_BT, items_B=items_B)

    def unknown(self, unit: Unit) -> dict[str, UnknownTokens]:
        """The unknown words of the captions."""
        return {NAMES[unit]: UnknownTokens.of(caption[:-1] for caption in self.ids)}


def distorted(image_BCHW: Tensor, shift: int, degrees: float, generator: torch.Generator) -> Tensor:
    """The images, each turned around its centre by at most so many degrees to either side, and shifted by at most so
    many whole pixels in each direction, at random; white where nothing was (Simard 2003)."""
    rows, _, height, width = image_BCHW.shape
    turn_B = math.radians(degrees) * (2 * torch.rand(rows, generator=generator) - 1)
    y_B, x_B = torch.randint(-shift, shift + 1, (2, rows), generator=generator)
    cos_B, sin_B = turn_B.cos(), turn_B.sin()
    # from where each pixel comes: in units of half a side, y and x of equal length only in a square
    across_B2, down_B2 = (
        torch.stack((cos_B, -sin_B * height / width), 1),
        torch.stack((sin_B * width / height, cos_B), 1),
    )
    turn_B22, shift_B21 = torch.stack((across_B2, down_B2), 1), torch.stack((2 * x_B / width, 2 * y_B / height), 1)
    grid_BHW2 = F.affine_grid(
        torch.cat((turn_B22, shift_B21[..., None]), 2), list(image_BCHW.shape), align_corners=False
    )
    ink_BCHW = F.grid_sample(_PAPER - image_BCHW.float(), grid_BHW2, mode="bicubic", align_corners=False)
    return (_PAPER - ink_BCHW).round().clamp(0, _PAPER).to(torch.uint8)
