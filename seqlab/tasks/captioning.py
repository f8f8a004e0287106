"""Captioning: a sentence for an image (one-to-many)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.core.fields import Count, Share, WholeNumber
from seqlab.core.task import Task
from seqlab.data.captioned import CaptionedImages
from seqlab.data.captioned_folder import read_captioned
from seqlab.data.digit_scenes import SIDE, digit_scenes
from seqlab.kinds.image_to_text import ImageToTextConfig, ImageToTextGeneration


@config_dataclass(frozen=True, kw_only=True)
class CaptioningConfig(ImageToTextConfig):
    """Settings of `task=captioning`, beside those of every image-to-text task.

    folder: pictures, and their captions in captions.csv; null: scenes of digits. train_size, validation_size,
    test_size: how many scenes, and test_size more with combinations that training lacks. held_share: of a folder's
    images, for validation and for test. split_seed: of the scenes, or of a folder's splits.
    """

    training_settings: ClassVar[tuple[str, ...]] = (*ImageToTextConfig.training_settings, "train_size")

    folder: str | None
    train_size: Count
    validation_size: Count
    test_size: Count
    held_share: Share
    split_seed: WholeNumber

    def __post_init__(self) -> None:
        if self.folder is None and (self.image_size, self.colour) != (SIDE, False):
            raise ValueError(
                f"task.image_size={self.image_size} task.colour={str(self.colour).lower()}: scenes of digits are grey "
                f"and have {SIDE} x {SIDE} pixels; try task.image_size={SIDE} task.colour=false, or a task.folder"
            )
        super().__post_init__()

    def build(self) -> Captioning:
        if self.folder is not None:
            parts, facts = read_captioned(
                self.folder, self.image_size, colour=self.colour, held_share=self.held_share, seed=self.split_seed
            )
            return Captioning(parts, self, facts)
        sizes: dict[Split, int] = {"train": self.train_size, "validation": self.validation_size, "test": self.test_size}
        splits, apart = digit_scenes(sizes, self.test_size, self.split_seed)
        return Captioning(splits, self, {}, apart)

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Captioning:
        return Captioning.restored(read).with_stored_vocabulary(self, vocabulary)


class Captioning(ImageToTextGeneration):
    """Scenes of digits, or a user's own pictures."""

    apart_name = "combinations"
    config: CaptioningConfig

    def __init__(
        self,
        parts: dict[Split, CaptionedImages],
        config: CaptioningConfig,
        facts: Mapping[str, str],
        apart: CaptionedImages | None = None,
    ) -> None:
        self.facts = facts
        super().__init__(parts, config, apart)

    def describe(self) -> Mapping[str, int | str]:
        return {"corpus": self.config.folder or "scenes of digits", **super().describe(), **self.facts}
