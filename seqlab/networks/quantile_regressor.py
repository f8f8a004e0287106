"""A regressor that predicts quantiles of each target.

Shape letters: B batch, T time, F input features, K targets, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import ModelConfig
from seqlab.core.network import StepOutput
from seqlab.core.state import State
from seqlab.data.series_windows import ForecastBatch
from seqlab.metrics.forecasting import pinball
from seqlab.networks.regressor import CausalRegressor


class QuantileRegressor(CausalRegressor[ForecastBatch]):
    """Predicts, at each position, quantiles of each target.

    The head gives the median and, through softplus, the distance from each quantile to the next: quantiles never cross.
    levels: of the quantiles, increasing, with 0.5 among them. residual: targets are differences to a forecast that is
    known; the head starts at zero, so that training starts from that forecast. The loss of a target is the mean of
    `pinball` over levels.
    """

    level_Q: Tensor

    def __init__(
        self, inputs: int, targets: int, levels: Sequence[float], model: ModelConfig, *, residual: bool = False
    ) -> None:
        super().__init__(inputs, targets * len(levels), model)
        if residual:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        self.middle = list(levels).index(0.5)
        self.register_buffer("level_Q", torch.tensor(levels), persistent=False)

    def quantiles(self, raw_BTKQ: Tensor) -> Tensor:
        """The head's output as increasing quantiles of each target."""
        raw, apart = raw_BTKQ.unbind(-1), F.softplus(raw_BTKQ).unbind(-1)
        below, above = [raw[self.middle]], [raw[self.middle]]
        for distance_BTK in reversed(apart[: self.middle]):
            below.append(below[-1] - distance_BTK)
        for distance_BTK in apart[self.middle + 1 :]:
            above.append(above[-1] + distance_BTK)
        return torch.stack((*reversed(below), *above[1:]), -1)

    def forward(self, batch: ForecastBatch, state: State) -> StepOutput:
        raw, state = self.regress(batch.inputs_BTF, state)
        quantile_BTKQ = self.quantiles(raw.float().unflatten(-1, (-1, len(self.level_Q))))
        error_BTKQ = batch.targets_BTK[..., None] - quantile_BTKQ
        loss_BTK = pinball(error_BTKQ, self.level_Q).mean(-1).masked_fill(~batch.scored_BTK, 0.0)
        return StepOutput(loss_BTK.sum(), state, quantile_BTKQ)
