"""What a run leaves behind for tools: TensorBoard events and metrics.jsonl, one file each."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seqlab.interfaces import Metric
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")


def finite(value: Any) -> Any:
    """The same with null for what is not finite: NaN and Infinity are no JSON."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Recorder:
    """An Observer that writes every scalar to both; use it in a `with` statement."""

    def __init__(self, folder: Path) -> None:
        self._lines = (folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder), flush_secs=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._board.close()
        self._lines.close()

    def describe(self, config_yaml: str, settings: Mapping[str, bool | int | float | str], final: list[str]) -> None:
        """The config as text, and HParams whose metrics are the scalar tags `final`, in this same run
        (SummaryWriter.add_hparams would make a second, phantom run)."""
        self._board.add_text("config", f"```yaml\n{config_yaml}\n```", 0)
        writer = self._board._get_file_writer()
        for summary in hparams(dict(settings), dict.fromkeys(final, 0.0))[:2]:
            writer.add_summary(summary)

    def finish(self, progress: Progress, test: dict[str, Metric], sample: str) -> None:
        """The test figures, the sample, and the HParams session's end."""
        self._scalars(progress, {f"test/{name}": metric.value for name, metric in test.items()})
        self._board.add_text("sample", f"```\n{sample}\n```", progress.step)
        self._board._get_file_writer().add_summary(hparams({}, {})[2])

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self._scalars(progress, scalars)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        self._scalars(progress, {f"val/{name}": metric.value for name, metric in metrics.items()})
        figures = ", ".join(f"{name} {metric.value:.5g}" for name, metric in metrics.items())
        logging.getLogger("seqlab").info(
            "step %d: validation %s%s", progress.step, figures, " (best)" if better else ""
        )
        # a killed process keeps its curve up to the last validation
        self._board.flush()

    def _scalars(self, progress: Progress, scalars: dict[str, float]) -> None:
        for tag, value in scalars.items():
            self._board.add_scalar(tag, value, progress.step)
        record: dict[str, Any] = {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            **scalars,
        }
        self._lines.write(json.dumps(finite(record), allow_nan=False) + "\n")
        self._lines.flush()
