"""Forecasting a user's own time series, or a corpus by its name; kinds/forecasting.py says how.

H steps ahead, V series, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.example import Example
from seqlab.core.items import Floats
from seqlab.core.model import context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.corpora import corpus_or_path
from seqlab.data.files import exists, expanded
from seqlab.data.scaled_series import Scaling
from seqlab.data.series import Series, read_series
from seqlab.data.series_text import parsed, written
from seqlab.data.series_windows import ForecastBatch
from seqlab.data.tables import Separator
from seqlab.errors import DataError
from seqlab.kinds.forecasting import WARM_UP, Forecasting, ForecastingConfig

_FORM = "a CSV, TSV or JSON Lines file with a column of times and one of values"


@config_dataclass(frozen=True, kw_only=True)
class ForecastConfig(ForecastingConfig):
    """Settings of `task=forecast`, beside those of every forecasting task.

    corpus: one by its name, or the path of a table. time_column, value_columns: by their names in the header, or by
    their numbers, from 1. separator: between fields. decimal: the mark before decimals. null, []: found.
    """

    reading_settings = ("time_column", "value_columns", "separator", "decimal")

    corpus: str
    time_column: str | None
    value_columns: tuple[str, ...]
    separator: Separator | None
    decimal: Literal[".", ","] | None

    def build(self) -> Forecast:
        return Forecast(self.read(self.corpus, "task.corpus"), self)

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Forecast:
        task = Forecast.restored(read)
        task.config, task.scaling = self, Scaling.restored(vocabulary)
        if "naive_mae_V" in vocabulary:
            task.scale = task.scale_of(int(vocabulary["season"]), tuple(map(float, vocabulary["naive_mae_V"])))
        return task

    def read(self, where: str, key: str, columns: Sequence[str] = ()) -> Series:
        """A corpus by its name, or the series in a file. columns: those to read if the settings name none."""
        own: tuple[str, ...] = ()
        if not isinstance(found := corpus_or_path(where, key, "forecast", _FORM), Path):
            found, own = found.content("forecast")
        return read_series(
            found,
            key,
            time_column=self.time_column,
            value_columns=self.value_columns or columns or own,
            separator=self.separator,
            decimal=self.decimal,
        )


class Forecast(Forecasting):
    """The series of a table, in consecutive splits."""

    config: ForecastConfig

    def describe(self) -> Mapping[str, int | str]:
        return {"corpus": self.config.corpus, **super().describe()}

    def predict(self, network: Network[ForecastBatch], text: str, generation: GenerationConfig) -> Prediction:
        """text: the path of a table with the columns of training, or values as `written` writes them."""
        series, needed = self._series(text), (self.config.residual or 0) + 1
        if len(series.value_NV) < needed:
            raise DataError(
                f"there are {len(series.value_NV)} values, and task.residual={self.config.residual} looks further back",
                f"give {needed} values or more",
            )
        quantile_HVQ = self.predicted(network, self.windows_of(series), torch.tensor([len(series.value_NV) - 1]))[0]
        rows = self._rows(series.later(self.config.horizon), quantile_HVQ)
        return Prediction(_table(rows), {"read": len(series.value_NV), "forecast": rows})

    def _series(self, text: str) -> Series:
        """The series in a file that a text names, or in the text itself."""
        if not exists(expanded(text.strip())):
            return parsed(text, self.scaling.names, self.scaling.step)
        return self._like_training(self.config.read(text.strip(), "file", self.scaling.names), text.strip()[:200])

    def _like_training(self, series: Series, what: str) -> Series:
        """The series. Raises DataError unless it has as many columns, and the step, of training."""
        if len(series.names) != len(names := self.scaling.names):
            raise DataError(
                f"{len(series.names)} columns of {what} are named, and the run forecasts {len(names)}",
                f"name as many: task.value_columns=[{','.join(names)}]",
            )
        if series.step is not None and self.scaling.step not in (None, series.step):
            raise DataError(
                f"the rows of {what} are {series.step} apart, and those of training {self.scaling.step}",
                "give a series with the step of training",
            )
        return series

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Forecast:
        """Another series, in the units of training, whose beginning is read and not scored: as much as before other
        forecasts, or its first half."""
        assert isinstance(config, ForecastConfig)
        series = self._like_training(config.read(where, key, self.scaling.names), f"{key}={where}")
        if config.missing == "refuse" and series.missing:
            raise DataError(f"{series.missing}, and task.missing=refuse", "fill them in the file")
        scale, values = self.scale, len(series.value_NV)
        start = max(config.residual or 1, min((1 + WARM_UP) * config.window, values // 2))
        if values < start + config.horizon:
            raise DataError(f"{key}={where} has {values:,} values", f"give {start + config.horizon:,} or more")
        task = self.detached()
        task.series, task.scale, task.spans = series, scale, {"test": (start, values)}
        task.value_NV, task.windows = self.scaling.filled(series, config.missing), self.windows_of(series)
        task.known_NV = task.windows.known_NV.numpy()
        task.data_sha256 = task.digest(0)
        return task

    def _rows(self, times: Sequence[str], quantile_HVQ: Floats) -> list[dict[str, Any]]:
        levels = self.config.quantiles
        return [
            {
                "time": time,
                "series": name,
                "median": quantile_Q[levels.index(0.5)],
                "quantiles": {str(level): value for level, value in zip(levels, quantile_Q, strict=True)},
            }
            for time, quantile_VQ in zip(times, quantile_HVQ.tolist(), strict=True)
            for name, quantile_Q in zip(self.scaling.names, quantile_VQ, strict=True)
        ]

    def samples(self, network: Network[ForecastBatch], seed: int) -> str:
        """The last forecast of the validation split, beside what came."""
        origin_R, horizon = self.origins("validation")[-1:], self.config.horizon
        first = int(origin_R[0]) + 1
        rows = self._rows(
            self.series.labels(first, first + horizon), self.predicted(network, self.windows, origin_R)[0]
        )
        came = self.series.value_NV[first : first + horizon].reshape(-1).tolist()
        return _table([{**row, "came": value} for row, value in zip(rows, came, strict=True)])

    def example_text(self, length: int) -> str:
        start, end = self.spans["validation"]
        return written(self.series, start, min(length, end - start))

    def example(self, network: Network[ForecastBatch], text: str) -> Example[ForecastBatch]:
        series = self._series(text)
        read = min(len(series.value_NV), context_of(network) or len(series.value_NV))
        batch = self.windows_of(series).batch(torch.arange(read)[None], read, torch.zeros(1, dtype=torch.long))
        return Example(batch, tuple(series.labels(0, read, short=True)), truncated=len(series.value_NV) - read)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Forecasts as aligned lines: time, series where there are several, what came, the median and the widest band."""
    several = len({row["series"] for row in rows}) > 1
    low, *_, high = rows[0]["quantiles"]
    headings = ["time", *(["series"] if several else []), *(["came"] if "came" in rows[0] else []), "median"]
    lines = [[*headings, *([f"{low} to {high}"] if low != high else [])]]
    for row in rows:
        cells = [str(row[name]) if name in ("time", "series") else f"{row[name]:.4g}" for name in headings]
        band = [f"{row['quantiles'][low]:.4g} to {row['quantiles'][high]:.4g}"] if low != high else []
        lines.append([*cells, *band])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)
