"""From image to text: an encoder of patches, and a network that writes a caption for an image.

Shape letters: B batch, C channels, H W pixels, S patches, D width.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, ModelConfig
from seqlab.core.network import Parts
from seqlab.data.captioned import ImageBatch
from seqlab.networks.encoder_decoder import EncoderDecoder


class ImageEncoder(nn.Module):
    """Maps (B, C, H, W) to (B, S, D): a vector for each patch, row by row.

    Convolutions of 3 x 3 pixels: one at each pixel, then some with stride 2, until a position is one patch, and one
    more, so that a position also sees its neighbours; each has twice the channels of the last. Each pixel is normalised
    by itself (as in ConvNeXt, Liu 2022), so that a patch knows of its neighbourhood alone. A learned vector says where
    each patch is (Dosovitskiy 2021); it is added before a nonlinearity, so that the mean over patches can tell what is
    where.

    channels: of the image; features: channels after the first convolution; side: pixels of the image's side; patch:
    pixels of a patch's side, a power of two.
    """

    def __init__(self, channels: int, features: int, side: int, patch: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, features, 3, padding=1), ChannelNorm(features), nn.ReLU()]
        for _ in range(patch.bit_length() - 1):
            layers += [nn.Conv2d(features, 2 * features, 3, stride=2, padding=1), ChannelNorm(2 * features), nn.ReLU()]
            features *= 2
        self.convolve = nn.Sequential(*layers, nn.Conv2d(features, 2 * features, 3, padding=1))
        features *= 2
        self.place_SC = nn.Parameter(torch.randn((side // patch) ** 2, features))
        self.output = nn.Sequential(nn.Linear(features, width), nn.LayerNorm(width))
        for module in self.convolve:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, ink_BCHW: Tensor) -> Tensor:
        features_BSC = self.convolve(ink_BCHW).flatten(2).mT
        values_BSD: Tensor = self.output((features_BSC + self.place_SC).relu())
        return values_BSD


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel. Maps (B, C, H, W) to the same."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class ImageToText(EncoderDecoder[ImageBatch]):
    """An EncoderDecoder that reads images. words: the size of the vocabulary; the others: see ImageEncoder."""

    def __init__(
        self,
        words: int,
        model: ModelConfig,
        *,
        channels: int,
        features: int,
        side: int,
        patch: int,
        label_smoothing: float = 0.0,
    ) -> None:
        encoder = partial(ImageEncoder, channels, features, side, patch, model.width)
        super().__init__(words, model, encoder, label_smoothing=label_smoothing)

    def parts(self) -> Parts:
        """Sizes are matched by the decoder: what makes vectors of pixels counts as embedding."""
        return Parts((self.encoder, self.embed_target), (self.decoder,), (self.head,))

    def read(self, batch: ImageBatch) -> Memory:
        """The fixed vector is the mean over patches. White paper is 0."""
        values_BSD = self.encoder(1 - batch.image_BCHW / 255)
        return Memory(values_BSD, values_BSD.new_ones(values_BSD.shape[:2], dtype=torch.bool), values_BSD.mean(1))
