"""Each process trains a copy of the network: torch's DistributedDataParallel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch.nn.parallel import DistributedDataParallel

from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State
from seqlab.training.sharing import LossOf, Sharing, check_gradients


class Copies(Sharing):
    """The copies stay equal, since each makes the same step with the mean gradient."""

    def __init__(self, network: Network[Any], *, compiled: bool = False) -> None:
        super().__init__(network, compiled=compiled)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the name of broadcast_buffers in later versions
            self.module = DistributedDataParallel(LossOf(network, self.forward), broadcast_buffers=False)
        # After the first backward pass torch arranges the gradients anew for adding them up, in the order in which they
        # came. This pass is the same when a run is started or resumed, and so are the bits of sums of three or more.
        self.module(None, ())[0].backward()
        network.zero_grad()

    def __call__(self, batch: Any, state: State) -> StepOutput:
        loss_sum, after = self.module(batch, state)
        return StepOutput(loss_sum, after, loss_sum.detach())

    def backward(self, last: bool) -> AbstractContextManager[object]:
        return self._averaging() if last else self.module.no_sync()

    @contextmanager
    def _averaging(self) -> Iterator[None]:
        yield
        check_gradients(self.network)
