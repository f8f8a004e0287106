"""Metrics computed from sums over items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from seqlab.core.items import Floats as Floats
from seqlab.core.items import ItemSums as ItemSums
from seqlab.core.items import bootstrap_interval as bootstrap_interval
from seqlab.core.metric import Metric


def kinds(metrics: Mapping[str, Metric]) -> dict[str, dict[str, str | bool | float | None]]:
    """Unit, direction and range of each metric, as stored in result.json."""
    return {name: {key: value for key, value in vars(m).items() if key != "value"} for name, m in metrics.items()}


def gather(parts: list[torch.Tensor]) -> Floats:
    """Tensors of one evaluation joined along their rows, in double precision on the host."""
    joined = torch.cat([part.detach().cpu().double() for part in parts])
    return np.asarray(joined.numpy(), dtype=np.float64)
