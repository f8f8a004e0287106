"""Settings of the training loop."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Count, Positive


@config_dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Settings of the loop; configs/train.yaml says what each is for."""

    max_steps: Count | None
    max_epochs: Count | None
    max_seconds: Positive | None
    bptt_steps: Count | None
    accumulate: Count
    clip_norm: Positive | None
    clip_value: Positive | None
    log_every_steps: Count
    eval_every_steps: Count
    save_every_steps: Count
    save_every_seconds: Positive | None
    patience: Count | None
    on_nonfinite: Literal["skip", "stop"]
    nonfinite_limit: Count
    log_pictures: bool

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_epochs is None and self.max_seconds is None:
            raise ValueError("training needs an end; try trainer.max_steps=1000 (or max_epochs, or max_seconds)")

    @property
    def intervals(self) -> tuple[int, int, int]:
        """Steps between two log lines, two validations and two checkpoints."""
        return self.log_every_steps, self.eval_every_steps, self.save_every_steps

    @property
    def clips(self) -> bool:
        """Whether gradients are clipped, by value or by norm."""
        return self.clip_norm is not None or self.clip_value is not None
