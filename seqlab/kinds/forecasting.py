"""Forecasting the next values of time series (many-to-many, real values in, real values out).

At each position the network predicts quantiles of the next `task.horizon` values of every series at once: a direct
forecast of all steps ahead. In training every position is scored, in parallel streams that continue from batch to
batch, so that a state is carried; a network without a state reads windows in random order. Evaluation goes by rolling
origin: forecasts are made every `task.stride` steps, and their next values all lie in the split. Each origin ends a row
of its own, which begins several windows before it: through them a recurrent network carries its state, while a
Transformer looks no further back than the window that it was trained on.

Splits are consecutive. Values are standardised by the statistics of training, and missing ones are filled from the
past alone, so that nothing of a later split and nothing after an origin is known.

N values in time, V series, R origins, H steps ahead, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.baselines.seasonal import last_value, ridge_on_lags, seasonal_naive
from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.fields import Count, Share
from seqlab.core.forecast import Forecast
from seqlab.core.items import Floats
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network, evaluating
from seqlab.core.state import State
from seqlab.core.task import Task, TaskConfig
from seqlab.data.files import sha256_of
from seqlab.data.restored import Restorable
from seqlab.data.scaled_series import Scaling, naive_mae, spans, usual_seasons
from seqlab.data.series import Series
from seqlab.data.series_windows import ForecastBatch, SeriesWindows
from seqlab.data.splits import check_shares
from seqlab.errors import DataError
from seqlab.metrics.forecasting import ForecastMeter, ForecastScale
from seqlab.networks.quantile_regressor import QuantileRegressor

WARM_UP = 3  # windows that are read before the last one, that ends in the origin
_SHOWN = 3  # horizons of history in pictures


@config_dataclass(frozen=True, kw_only=True)
class ForecastingConfig(TaskConfig):
    """Settings of every forecasting task.

    missing: what a missing value is filled with, or `refuse`. score_filled: whether filled values are targets too.
    horizon: steps ahead. stride: steps between origins in evaluation; null: horizon. seasons: steps of each; null: the
    usual ones. residual: predict the difference to the value this many steps before. calendar: cycles of time that are
    read too. quantiles: their levels, with 0.5. batch_size: parallel streams. window: steps of each stream in a batch.
    eval_batch_size: origins. train_share, validation_share: parts of the series, in order; the rest is the test split.
    """

    training_settings: ClassVar[tuple[str, ...]] = ("batch_size", "window", "eval_batch_size", "residual", "calendar")

    missing: Literal["refuse", "last", "mean"]
    score_filled: bool
    horizon: Count
    stride: Count | None
    seasons: tuple[Count, ...] | None
    residual: Count | None
    calendar: tuple[Literal["hour", "weekday", "yearday"], ...]
    quantiles: tuple[Share, ...]
    batch_size: Count
    window: Count
    eval_batch_size: Count
    train_share: Share
    validation_share: Share

    def __post_init__(self) -> None:
        check_shares(self.train_share, self.validation_share)
        if 0.5 not in self.quantiles or list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError("task.quantiles must increase and have 0.5, the median; try task.quantiles=[0.1,0.5,0.9]")


class Forecasting(Restorable, Task[ForecastBatch]):
    """Time series in consecutive splits. A subclass hands over its series."""

    window_setting = "task.window"
    config: ForecastingConfig
    scaling: Scaling

    def __init__(self, series: Series, config: ForecastingConfig) -> None:
        """Raises DataError for missing values that are not to be filled, and for a series that is too short, or
        constant in training."""
        self.config, self.series = config, series
        if config.missing == "refuse" and series.missing:
            raise DataError(f"{series.missing}, and task.missing=refuse", "try task.missing=last")
        shares, values = (config.train_share, config.validation_share), len(series.value_NV)
        seasons = config.seasons or usual_seasons(series.step, int(shares[0] * values))
        least = max(config.window + config.horizon, *(season + 1 for season in seasons), 1 + (config.residual or 0))
        self.spans = spans(values, shares, least, config.horizon)
        self.scaling, self.seasons = Scaling.of(series, self.spans["train"][1]), seasons
        self.value_NV = self.scaling.filled(series, config.missing)
        self.windows = self.windows_of(series)
        self.known_NV = self.windows.known_NV.numpy()
        end, season = self.spans["train"][1], seasons[0]
        self.scale = self.scale_of(season, naive_mae(self.value_NV[:end], self.known_NV[:end], season))

    def scale_of(self, season: int, naive_mae_V: tuple[float, ...]) -> ForecastScale:
        """What errors are measured with: the naive forecast of this season has these errors in training."""
        horizon = self.config.horizon
        together = -(-max(season, horizon) // (self.config.stride or horizon))
        return ForecastScale(season, naive_mae_V, self.scaling.deviation_V, together)

    def windows_of(self, series: Series) -> SeriesWindows:
        """A series in units of training, as networks read it."""
        config, known_NV = self.config, ~np.isnan(series.value_NV) | self.config.score_filled
        tensors = self.scaling.tensors(series, config.missing, config.calendar, config.residual)
        return SeriesWindows(*tensors, torch.from_numpy(known_NV), config.horizon, config.residual)

    def origins(self, split: Split) -> Tensor:
        """origin_R: the last place that is known to each forecast of a split."""
        start, end = self.spans[split]
        return torch.arange(start - 1, end - self.config.horizon, self.config.stride or self.config.horizon)

    def batches(self, split: Split, seed: int) -> Iterator[ForecastBatch]:
        config, (_, end) = self.config, self.spans[split]
        if split == "train":
            return self.windows.streams(end, config.batch_size, config.window, seed)
        return self.windows.from_origins(self.origins(split), end, config.eval_batch_size, config.window, WARM_UP)

    def training_batches(self, network: Network[ForecastBatch], seed: int) -> Iterator[ForecastBatch]:
        if network.carries_state():
            return self.batches("train", seed)
        return self.windows.shuffled(self.spans["train"][1], self.config.batch_size, self.config.window, seed)

    def training_order(self, network: Network[ForecastBatch]) -> str:
        return "windows in the order of time" if network.carries_state() else "windows in random order"

    def build_network(self, model: ModelConfig) -> QuantileRegressor:
        config, series = self.config, len(self.scaling.names)
        inputs = series * (1 + (config.residual is not None)) + 2 * len(config.calendar)
        residual = config.residual is not None
        return QuantileRegressor(inputs, series * config.horizon, config.quantiles, model, residual=residual)

    def meter(self, split: Split) -> ForecastMeter:
        return ForecastMeter(self.scale, self.config.quantiles)

    def longest(self) -> int:
        return self.config.window

    @cached_property
    def data_sha256(self) -> str:
        return self.digest(0)

    def heldout_sha256(self) -> str:
        return self.digest(self.spans["validation"][0])

    def digest(self, start: int) -> str:
        """Digest of the values from there on, and of what they are judged by."""
        judged = (self.config.horizon, self.config.stride, self.scale.season, self.config.missing, self.spans)
        return sha256_of([repr((self.scaling.names, *judged)), self.value_NV[start:].tobytes()])

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {**self.scaling.stored(), "season": self.scale.season, "naive_mae_V": self.scale.naive_mae_V}

    def describe(self) -> Mapping[str, int | str]:
        return {
            "series": ", ".join(self.scaling.names),
            **self.series.guessed,
            "step": str(self.scaling.step or "unknown"),
            **{f"{split} values": end - start for split, (start, end) in self.spans.items()},
            "forecasts in test": len(self.origins("test")),
            "steps ahead": self.config.horizon,
            "seasons": ", ".join(map(str, self.seasons)),
        }

    def warnings(self) -> Iterable[str]:
        if self.series.missing:
            what = "the last value before it" if self.config.missing == "last" else "the mean of training"
            use = "counts as a target too" if self.config.score_filled else "is read, and is no target"
            yield f"{self.series.missing}: each is filled with {what}, which {use} (task.missing, task.score_filled)"

    def chance(self, split: Split) -> Baseline:
        forecast = last_value(self.value_NV, self.origins(split).numpy(), self.config.horizon)
        return self._baseline("last value", "the last value that is known, for every step ahead", split, forecast)

    def baselines(self) -> Iterator[Baseline]:
        yield self.chance("test")
        origin_R, horizon = self.origins("test").numpy(), self.config.horizon
        for season in self.seasons:
            about = f"the last value that is known a whole number of seasons of {season} steps before"
            yield self._baseline(
                f"naive {season}", about, "test", seasonal_naive(self.value_NV, origin_R, horizon, season)
            )
        lags, ends = max(self.config.window, *self.seasons), (self.spans["train"][1], self.spans["validation"][1])
        if lags + horizon <= ends[0]:  # else there is nothing to fit it on
            about = f"ridge regression on the last {lags} values, its penalty chosen on validation"
            yield self._baseline("ridge", about, "test", ridge_on_lags(self.value_NV, ends, origin_R, horizon, lags))

    def _baseline(self, name: str, about: str, split: Split, forecast_RHV: Floats) -> Baseline:
        place_RH = self.origins(split).numpy()[:, None] + np.arange(1, self.config.horizon + 1)
        error_RHV = self.value_NV[place_RH] - forecast_RHV
        flat = (len(place_RH), -1)
        metrics, items = self.scale.of_points(error_RHV.reshape(flat), self.known_NV[place_RH].reshape(flat))
        return Baseline(name, about, metrics, items)

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[ForecastBatch]:
        start, end = self.spans[split]
        first, last = max(start, longest) - 1, end - self.config.horizon - 1
        if last - start + 1 < longest:
            raise DataError(f"the {split} split has {end - start} values, too few for a context of {longest}")
        origin_R = torch.linspace(first, last, min(count, last - first + 1)).long()
        for items_B in torch.arange(len(origin_R)).split(self.config.eval_batch_size):
            at_BT = origin_R[items_B, None] + torch.arange(1 - steps, 1)
            yield self.windows.batch(at_BT, end, items_B, at_BT == origin_R[items_B, None])

    # --- predictions ---------------------------------------------------------------------------------

    def predicted(self, network: Network[ForecastBatch], windows: SeriesWindows, origin_R: Tensor) -> Floats:
        """quantile_RHVQ of the values after these places, in the unit of each series."""
        horizon, rows = self.config.horizon, len(origin_R)
        state: State = ()
        with evaluating(network), torch.inference_mode():
            for window in windows.from_origins(origin_R, len(windows.value_NV), rows, self.config.window, WARM_UP):
                batch = window.to(next(network.parameters()).device)
                output = network(batch, state if batch.continues else network.initial_state(rows, cached=True))
                state = output.state
        unit_RHVQ = output.logits[:, -1].cpu().double().unflatten(1, (horizon, -1)) + windows.base(origin_R)[..., None]
        mean_V1, deviation_V1 = (np.array(part)[:, None] for part in (self.scaling.mean_V, self.scaling.deviation_V))
        return np.asarray(mean_V1 + deviation_V1 * unit_RHVQ.numpy())

    def forecasts(self, network: Network[ForecastBatch], count: int) -> Sequence[Forecast]:
        origin_R = self.origins("validation")
        origin_R = origin_R[torch.linspace(0, len(origin_R) - 1, min(count, len(origin_R))).round().long()]
        horizon, shown = self.config.horizon, max(_SHOWN * self.config.horizon, self.seasons[0])
        naive_RHV = seasonal_naive(self.value_NV, origin_R.numpy(), horizon, self.seasons[-1])
        naive_name, found = f"value {self.seasons[-1]} steps before", list[Forecast]()
        for row, quantile_HVQ in enumerate(self.predicted(network, self.windows, origin_R)):
            start, now = max(0, int(origin_R[row]) + 1 - shown), int(origin_R[row]) + 1
            labels = self.series.labels(start, now + horizon)
            for series, name in enumerate(self.scaling.names):
                value_N = self.series.value_NV[:, series]
                found.append(
                    Forecast(
                        name, labels, value_N[start:now], value_N[now : now + horizon], naive_RHV[row, :, series],
                        naive_name,
                        quantile_HVQ[:, series], self.config.quantiles,
                    )
                )  # fmt: skip
        return found
