"""minGRU (Feng 2024, "Were RNNs All We Needed?"): a GRU whose gates see only the input, trained in parallel over time.

H state, G = 2H: the gates, update and candidate.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.model import SequenceModel
from seqlab.layers.gated_scan import GatedScan, GatedScanConfig


def min_gru_gates(from_x: Tensor) -> dict[str, Tensor]:
    """Each gate's activation (..., H), given W x_t + b, (..., G), of one step or many.

    The paper's g(W_n x_t + b_n) keeps candidates positive for a scan over logarithms. The scan here does not need that,
    so they are linear in the input: on a CPU, g costs about a third of the layer's time.
    """
    x_z, x_n = from_x.chunk(2, dim=-1)
    return {
        "update": x_z.sigmoid(),  # z_t = sigmoid(W_z x_t + b_z)
        "candidate": x_n,  # n_t = W_n x_t + b_n
    }


def min_gru_terms(gates: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """h_t = (1 - z_t) * h_{t-1} + z_t * n_t: (the factor of h_{t-1}, the added term)."""
    return 1 - gates["update"], gates["update"] * gates["candidate"]


class MinGRU(GatedScan):
    """One mixer."""

    blocks = 2
    gates = staticmethod(min_gru_gates)
    terms = staticmethod(min_gru_terms)
    # the opposite of torch's GRU
    meanings: ClassVar = {"update": "Where an update gate stays dark, the unit keeps its old state."}


@config_dataclass(frozen=True, kw_only=True)
class MinGRUConfig(GatedScanConfig):
    """Settings of `model=mingru`."""

    def mixers(self) -> list[SequenceModel]:
        return [MinGRU(self) for _ in range(self.layers)]
