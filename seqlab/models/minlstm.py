"""minLSTM (Feng 2024, "Were RNNs All We Needed?"): an LSTM whose gates see only the input, trained in parallel over
time. Input and forget gate are normalised, so that the scale of the state does not depend on how long it is kept.

H state, G = 3H: the gates, forget, input, candidate.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor
from torch.nn import functional as F

from seqlab.core.model import SequenceModel
from seqlab.layers.gated_scan import GatedScan, GatedScanConfig


def min_lstm_gates(from_x: Tensor) -> dict[str, Tensor]:
    """Each gate's activation (..., H), given W x_t + b, (..., G), of one step or many; forget and input add up to 1.

    With f_t = sigmoid(W_f x_t + b_f) and i_t = sigmoid(W_i x_t + b_i), and nothing divided by what may be 0:
    f_t / (f_t + i_t) = sigmoid(log f_t - log i_t). The candidate is linear in the input, as in minGRU.
    """
    x_f, x_i, x_n = from_x.chunk(3, dim=-1)
    log_ratio = F.logsigmoid(x_f) - F.logsigmoid(x_i)
    return {
        "forget": log_ratio.sigmoid(),  # f'_t = f_t / (f_t + i_t)
        "input": (-log_ratio).sigmoid(),  # i'_t = i_t / (f_t + i_t)
        "candidate": x_n,  # n_t = W_n x_t + b_n
    }


def min_lstm_terms(gates: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """h_t = f'_t * h_{t-1} + i'_t * n_t: (the factor of h_{t-1}, the added term)."""
    return gates["forget"], gates["input"] * gates["candidate"]


class MinLSTM(GatedScan):
    """One mixer."""

    blocks = 3
    gates = staticmethod(min_lstm_gates)
    terms = staticmethod(min_lstm_terms)
    meanings: ClassVar = {"forget": "Where a forget gate stays bright, the unit keeps its old state."}


@config_dataclass(frozen=True, kw_only=True)
class MinLSTMConfig(GatedScanConfig):
    """Settings of `model=minlstm`."""

    def mixers(self) -> list[SequenceModel]:
        return [MinLSTM(self) for _ in range(self.layers)]
