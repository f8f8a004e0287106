"""A regressor: real values in, real values out at each position.

Shape letters: B batch, T time, D width, F input features, K output features.
"""

from __future__ import annotations

from torch import Tensor, nn

from seqlab.core.batch import BatchT
from seqlab.core.model import ModelConfig, Role
from seqlab.core.network import Network, Parts, StepOutput
from seqlab.core.state import State
from seqlab.data.batches import SeriesBatch


class CausalRegressor(Network[BatchT]):
    """Base: a linear layer, a causal model and another linear layer, for a loss that a subclass adds."""

    def __init__(self, inputs: int, outputs: int, model: ModelConfig) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, model.width)
        self.model = model.build(Role.DECODER)
        self.dropout = model.dropout_layer()
        self.head = nn.Linear(model.width, outputs)

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.model,), (self.head,))

    def carries_state(self) -> bool:
        return self.model.carries_state()

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """Cached, a model without recurrence keeps as many positions as it can read at once."""
        return self.model.initial_state(rows, capacity=(self.model.context or 0) if cached else 0)

    def regress(self, inputs_BTF: Tensor, state: State) -> tuple[Tensor, State]:
        """(the outputs at each position, the state after the last one)."""
        hidden_BTD, state = self.model(self.dropout(self.embed(inputs_BTF)), state)
        return self.head(self.dropout(hidden_BTD)), state


class Regressor(CausalRegressor[SeriesBatch]):
    """Trained on the squared error.

    The error of a position, halved and summed over its K values, is, up to a constant, the negative log-likelihood of a
    Gaussian of unit variance: values are best given in units of their standard deviation.
    """

    def forward(self, batch: SeriesBatch, state: State) -> StepOutput:
        prediction_BTK, state = self.regress(batch.inputs_BTF, state)
        error_BTK = (prediction_BTK.float() - batch.targets_BTK).masked_fill(~batch.scored_BT[..., None], 0.0)
        return StepOutput(error_BTK.square().sum() / 2, state, prediction_BTK)
