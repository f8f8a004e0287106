"""Captioning: a sentence for an image (one-to-many)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.core.fields import Count, Share, WholeNumber
from seqlab.core.task import Task, TaskConfig
from seqlab.data.captioned import CaptionedImages
from seqlab.data.captioned_folder import TABLE, read_captioned, read_test_images
from seqlab.data.corpora import corpus_or_path
from seqlab.data.corpus import Corpus
from seqlab.errors import ConfigError
from seqlab.kinds.image_to_text import ImageToTextConfig, ImageToTextGeneration

_FORM = f"a folder with pictures and a {TABLE}"


@config_dataclass(frozen=True, kw_only=True)
class CaptioningConfig(ImageToTextConfig):
    """Settings of `task=captioning`, beside those of every image-to-text task.

    corpus: one by its name, or the path of a folder of pictures, with their captions in captions.csv. train_size,
    validation_size, test_size: how many scenes of digits, and test_size more with combinations that training lacks.
    held_share: of a folder's images, for validation and for test. split_seed: of the scenes, or of a folder's splits.
    """

    training_settings: ClassVar[tuple[str, ...]] = (*ImageToTextConfig.training_settings, "train_size")

    renamed: ClassVar[Mapping[str, str]] = {"folder": "corpus"}

    corpus: str
    train_size: Count
    validation_size: Count
    test_size: Count
    held_share: Share
    split_seed: WholeNumber

    def build(self) -> Captioning:
        found = corpus_or_path(self.corpus, "task.corpus", "captioning", _FORM)
        if not isinstance(found, Path):
            parts, apart = self._of_corpus(found)
            return Captioning(parts, self, {}, apart)
        parts, facts = read_captioned(
            found, self.image_size, colour=self.colour, held_share=self.held_share, seed=self.split_seed
        )
        return Captioning(parts, self, facts)

    def test_images(self, where: str, key: str) -> CaptionedImages:
        """The test split of a corpus by its name or of a folder, or all of a folder that names no splits."""
        found = corpus_or_path(where, key, "captioning", _FORM)
        if isinstance(found, Path):
            return read_test_images(found, key, self.image_size, colour=self.colour)
        return self._of_corpus(found)[0]["test"]

    def _of_corpus(self, corpus: Corpus) -> tuple[dict[Split, CaptionedImages], CaptionedImages | None]:
        """(the splits of a corpus, those apart). Raises ConfigError if its images are not of the size and colours that
        the settings say."""
        sizes = {"train": self.train_size, "validation": self.validation_size, "test": self.test_size}
        parts: dict[Split, CaptionedImages]
        parts, apart = corpus.content("captioning", sizes, self.test_size, self.split_seed)
        channels, side = parts["train"].image_NCHW.shape[1:3]
        if (side, channels == 3) != (self.image_size, self.colour):
            remedy = f"task.image_size={side} task.colour={str(channels == 3).lower()}"
            raise ConfigError(
                f"task.image_size={self.image_size} task.colour={str(self.colour).lower()}: the images of "
                f"{corpus.name} have {side} x {side} pixels of {channels} channels",
                f"try {remedy}, or a folder of your own: task.corpus=PATH",
            )
        return parts, apart

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Captioning:
        return Captioning.restored(read).with_stored_vocabulary(self, vocabulary)


class Captioning(ImageToTextGeneration):
    """Images of a corpus, or a user's own pictures."""

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

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Captioning:
        assert isinstance(config, CaptioningConfig)
        return self.tested_on(config.test_images(where, key))

    def describe(self) -> Mapping[str, int | str]:
        return {"corpus": self.config.corpus, **super().describe(), **self.facts}
