"""Sequences of real-valued vectors: standardised, masked, and gathered into padded batches.

Shape letters: N sequences, B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.data.batching import bucketed


@dataclass(frozen=True)
class Scaling:
    """The mean and standard deviation of each feature, by which values are standardised."""

    mean_F: Tensor
    deviation_F: Tensor

    @classmethod
    def of(cls, sequences: Sequence[Tensor]) -> Scaling:
        """Of all positions of these sequences, (T, F) each, those of training. A constant feature becomes 0."""
        every_TF = torch.cat(list(sequences)).double()
        deviation_F = every_TF.std(0, correction=0)
        return cls(every_TF.mean(0).float(), torch.where(deviation_F > 1e-6, deviation_F, 1.0).float())

    def __call__(self, frames_TF: Tensor) -> Tensor:
        return (frames_TF - self.mean_F) / self.deviation_F


@dataclass(frozen=True)
class Masks:
    """What is hidden from training, drawn anew for each sequence in each pass: SpecAugment (Park 2019) without warping.

    noise: the standard deviation of Gaussian noise that is added to each standardised value. time_masks: how many
    stretches of positions are set to the mean, each up to time_width long, and no longer than a fifth of the sequence;
    feature_masks, feature_width: the same for neighbouring features.
    """

    noise: float
    time_masks: int
    time_width: int
    feature_masks: int
    feature_width: int

    def __call__(self, frames_TF: Tensor, generator: torch.Generator) -> Tensor:
        """A changed copy of a standardised sequence."""
        frames_TF = frames_TF + self.noise * torch.randn(frames_TF.shape, generator=generator)
        steps, features = frames_TF.shape
        for count, most, along in (
            (self.time_masks, min(self.time_width, steps // 5), frames_TF),
            (self.feature_masks, min(self.feature_width, features), frames_TF.T),
        ):
            for _ in range(count):
                width = int(torch.randint(most + 1, (), generator=generator))
                first = int(torch.randint(len(along) - width + 1, (), generator=generator))
                along[first : first + width] = 0.0
        return frames_TF


def stacked(frames_TF: Tensor, count: int) -> Tensor:
    """Each `count` neighbouring frames joined into one position (Sak 2015), so that there are as many times fewer; the
    last ones are filled up with copies of the last frame."""
    missing = -len(frames_TF) % count
    filled_TF = torch.cat((frames_TF, frames_TF[-1:].expand(missing, -1)))
    return filled_TF.reshape(-1, count * frames_TF.shape[1])


def padded(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(frames_BTF, valid_BT) of sequences (T, F), padded with zeros on the right."""
    length_B = torch.tensor([len(sequence) for sequence in sequences])
    frames_BTF = torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)
    return frames_BTF, torch.arange(frames_BTF.shape[1]) < length_B[:, None]


def frame_batches(
    sequences: Sequence[Tensor], batch_size: int, seed: int | None, *, stack: int = 1, masks: Masks | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(frames_BTF, valid_BT, items_B) of one pass, sequences of similar length together (see bucketed). stack: frames
    of a position. masks: drawn by the seed."""
    generator = torch.Generator().manual_seed(0 if seed is None else seed)
    for items in bucketed([(len(sequence),) for sequence in sequences], batch_size, seed):
        chosen = [sequences[item] for item in items]
        if masks is not None:
            chosen = [masks(sequence, generator) for sequence in chosen]
        yield *padded([stacked(sequence, stack) for sequence in chosen]), torch.tensor(items)
