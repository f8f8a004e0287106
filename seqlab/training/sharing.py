"""How the processes of a run share the network that they train. `Sharing` is one process alone, which has all of it;
copies.py and shards.py are for several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State, detach
from seqlab.errors import ConfigError

T = TypeVar("T")
Forward: TypeAlias = Callable[[Any, State], StepOutput]
"""A network's forward, maybe compiled."""


class Sharing:
    """Called like the network, with the rows of this process.

    network: whole in every process; it is evaluated, shown and stored, and makes initial states. trained: the module
    whose parameters the optimizer changes: the same one, unless processes hold shards. Each method is called by all
    processes, in the same order.
    """

    def __init__(self, network: Network[Any], *, compiled: bool = False) -> None:
        self.network: Network[Any] = network
        self.trained: nn.Module = network
        self.forward: Forward = torch.compile(network) if compiled else network

    def __call__(self, batch: Any, state: State) -> StepOutput:
        return self.forward(batch, state)

    def backward(self, last: bool) -> AbstractContextManager[object]:
        """The context of a forward and a backward pass. After the last one of a step, each gradient is the mean over
        all processes; before, it may be this process's own. Raises ConfigError for a weight without gradient."""
        return nullcontext()

    def gather(self) -> None:
        """Let `network` have the weights of `trained`."""

    def scatter(self) -> None:
        """Let `trained` have the weights of `network`."""

    def norm(self, gradients: Iterable[Tensor]) -> Tensor:
        """(): the norm of the whole gradient, from those of the parameters of `trained`."""
        return nn.utils.get_total_norm(gradients)

    def whole(self, value: T) -> T:
        """What a checkpoint holds of a value in the optimizer's state; needed in the first process alone."""
        return value

    def own(self, like: T, whole: T) -> T:
        """The inverse: what this process has of a value in a checkpoint. like: the value that it has now."""
        return whole


class LossOf(nn.Module):
    """A network of whose outputs the loss alone has a gradient."""

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.network, self.read = network, forward

    def forward(self, batch: Any, state: State) -> tuple[Tensor, State]:
        """(the summed loss, the state after the batch). Without a batch the loss is 0, and depends on each weight."""
        if batch is None:
            return torch.stack([p.sum() for p in self.network.parameters() if p.requires_grad]).sum() * 0, ()
        output = self.read(batch, state)
        return output.loss_sum, detach(output.state)


def check_gradients(network: nn.Module) -> None:
    """Raise ConfigError if a weight has none after a backward pass: others could not tell whether to wait for it."""
    without = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    if without:
        raise ConfigError(
            f"the loss does not depend on {', '.join(without[:3])}: several processes cannot average its gradient",
            "try device.processes=1, or leave out what is not used",
        )
