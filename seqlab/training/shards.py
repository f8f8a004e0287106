"""Each process trains a shard of the network: torch's FSDP2 (`fully_shard`), after Rajbhandari 2020 (ZeRO, stage 3).

Between steps a process holds an n-th of each weight, its gradient and the optimizer's state. The weights of a block are
gathered when it is computed, forward and backward, and dropped after that.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from seqlab.core.model import SequenceModel
from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State
from seqlab.errors import ConfigError
from seqlab.training.sharing import LossOf, Sharing, check_gradients

T = TypeVar("T")


class Shards(Sharing):
    """The shards of a copy of the network, in groups that are gathered together: each block, and all that is in none.

    The network itself stays whole: evaluation, decoding and pictures use weights outside `forward`, in the first
    process alone, where shards cannot be gathered.
    """

    def __init__(self, network: Network[Any], *, compiled: bool = False) -> None:
        super().__init__(network)
        self.trained = copy.deepcopy(network).train()
        self.module = LossOf(self.trained, self.trained)
        mesh = init_device_mesh(next(network.parameters()).device.type, (dist.get_world_size(),))
        for name, block in _blocks(self.trained):
            if isinstance(block, SequenceModel):  # its own may be asked for while its weights are shards
                block.initial_state = network.get_submodule(name).initial_state  # type: ignore[method-assign,assignment]
            block.register_forward_hook(_without_views)
        for module in (*(block for _, block in _blocks(self.trained)), self.module):
            try:
                group = fully_shard(module, mesh=mesh, reshard_after_forward=True)
            except ValueError as error:
                raise ConfigError(f"the network cannot be divided: {error}", "try device.sharding=ddp") from error
            group.set_force_sum_reduction_for_comms(True)  # gloo takes sums for means (pytorch#162338)
        if compiled:
            self.module.read = torch.compile(self.trained)  # in parts: gathering is left out of the graphs

    def __call__(self, batch: Any, state: State) -> StepOutput:
        """Raises ConfigError if the network uses a block's weights outside the block's `forward`."""
        try:
            loss_sum, after = self.module(batch, state)
        except RuntimeError as error:
            if "DTensor" not in str(error):
                raise
            raise ConfigError(
                "the network uses weights of a block outside its forward, where each process has a shard of them",
                "try device.sharding=ddp",
            ) from error
        return StepOutput(loss_sum, after, loss_sum.detach())

    @contextmanager
    def backward(self, last: bool) -> Iterator[None]:
        """Gradients are averaged after each pass: added up whole, they would need as much memory as copies do."""
        yield
        if last:
            check_gradients(self.trained)

    @torch.no_grad()
    def gather(self) -> None:
        for whole, shard in zip(self.network.parameters(), self.trained.parameters(), strict=True):
            whole.copy_(cast(DTensor, shard).full_tensor())
        for buffer, trained in zip(self.network.buffers(), self.trained.buffers(), strict=True):
            buffer.copy_(trained)

    @torch.no_grad()
    def scatter(self) -> None:
        for whole, shard in zip(self.network.parameters(), self.trained.parameters(), strict=True):
            shard.copy_(self.own(shard, whole))
        for buffer, trained in zip(self.network.buffers(), self.trained.buffers(), strict=True):
            trained.copy_(buffer)

    def norm(self, gradients: Iterable[Tensor]) -> Tensor:
        return cast(DTensor, super().norm(gradients)).full_tensor()

    def whole(self, value: T) -> T:
        """On the CPU of the first process, one at a time: together they may be too large for a device."""
        if not isinstance(value, DTensor):
            return value
        tensor = value.full_tensor()
        return cast(T, tensor.cpu() if dist.get_rank() == 0 else tensor.new_empty(0))

    def own(self, like: T, whole: T) -> T:
        if not (isinstance(like, DTensor) and isinstance(whole, Tensor)):
            return whole
        # src_data_rank: every process has the whole, so that nothing need be sent
        shard = distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
        return cast(T, shard)


def _blocks(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The blocks of a network by name: the elements of its lists that have a matrix and share no weight with others."""
    uses = Counter(id(p) for _, p in network.named_parameters(remove_duplicate=False))

    def found(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
        for name, child in module.named_children():
            inside = Counter(id(p) for _, p in child.named_parameters(remove_duplicate=False))
            alone = all(uses[key] == count for key, count in inside.items())
            if isinstance(module, nn.ModuleList) and alone and any(p.ndim > 1 for p in child.parameters()):
                yield path + name, child
            else:
                yield from found(child, f"{path}{name}.")

    return list(found(network, ""))


def _without_views(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    """A block's output with copies for views: what is added to a view in place would hide the block from the backward
    pass, where its weights must be gathered again."""
    if isinstance(output, Tensor):
        return output.clone() if output._is_view() else output
    return tuple(_without_views(_module, _inputs, part) for part in output) if type(output) is tuple else output
