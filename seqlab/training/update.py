"""One step of training: forward, backward through the window, unscale, clip, step.

Truncated backpropagation through time (Williams & Peng 1990): a window that continues the last one starts from the
state that it left, detached, so that values flow on and gradients do not; any other starts from the network's initial
state. Clipping is by value, then by the norm of what is left (Pascanu et al. 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

import torch
from torch import Tensor, nn

from seqlab.core.batch import BatchT, targets_in
from seqlab.core.network import Network
from seqlab.core.state import State, detach
from seqlab.training.config import TrainerConfig
from seqlab.training.device import Device
from seqlab.training.nonfinite import Guard
from seqlab.training.optim import skips_on_device
from seqlab.training.sharing import Sharing


class Update(Generic[BatchT]):
    """One step of training, called with its windows. build: makes the optimizer of what is trained. state: that after
    the last window; None before the first."""

    def __init__(
        self,
        sharing: Sharing,
        build: Callable[[nn.Module], torch.optim.Optimizer],
        device: Device,
        config: TrainerConfig,
    ) -> None:
        self.sharing, self.device, self.config = sharing, device, config
        self.optimizer = optimizer = build(sharing.trained)
        self.network: Network[BatchT] = sharing.network
        self.world = device.world
        self.scaler = device.scaler()
        skips = config.on_nonfinite == "skip"
        deferred = skips and device.name == "cuda" and skips_on_device(optimizer) and not self.scaler.is_enabled()
        self.guard = Guard(self.network, optimizer, deferred=deferred)
        self.parameters = list(sharing.trained.parameters())
        self.state: State | None = None  # of the rows that this process reads
        self.rows = 0  # of all processes

    def __call__(self, windows: list[BatchT], learning_rate: float) -> tuple[Tensor, Tensor]:
        """One step on the mean loss over all targets of the windows. Returns (loss sum, gradient norm before clipping),
        () each, on the device. If loss or gradient is not finite, neither is the norm, and no weight has changed."""
        self._begin(learning_rate)
        targets = targets_in(windows) / self.world.size  # a mean over processes of these is one over all targets
        last = max((number for number, window in enumerate(windows) if window.scored), default=0)
        loss_sum = torch.zeros((), device=self.device.torch_device)
        for number, window in enumerate(windows):
            with self.sharing.backward(last=number == last):
                nats, self.state = self._read(window)
                if window.scored:
                    self.scaler.scale(nats / targets).backward()
                    loss_sum = loss_sum + nats.detach()
        loss_sum = self.world.total(loss_sum)
        self.scaler.unscale_(self.optimizer)
        total_norm = self._gradient_norm()
        norm = total_norm + 0.0 * loss_sum  # one number for both: 0 times a non-finite number is nan
        known, self.state = self.guard.judge(norm, self.state, self.world.share(windows[-1]).size)
        if known is not None:
            self._clip(total_norm, known)
            self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss_sum, norm

    def _begin(self, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
            for parameter in group["params"]:
                parameter.grad = None  # zero_grad() does the same and more, for a twentieth of a small step

    def _read(self, window: BatchT) -> tuple[Tensor, State]:
        """(the summed loss of this process's rows, the state after them)."""
        batch, self.rows = self.world.share(window).to(self.device.torch_device), window.size
        carried = self.state if window.continues else None
        state = self.network.initial_state(batch.size) if carried is None else detach(carried)
        with torch.set_grad_enabled(window.scored), self.device.autocast():
            output = self.sharing(batch, state)
        return (output.loss_sum if self.world.counts(window.size) else output.loss_sum * 0), output.state

    def _gradient_norm(self) -> Tensor:
        return self.sharing.norm(p.grad for p in self.parameters if p.grad is not None)

    def _clip(self, total_norm: Tensor, known: float) -> None:
        """known: the norm before clipping, nan if the host has not read it. Clipping by value never increases it."""
        value, norm = self.config.clip_value, self.config.clip_norm
        if value is not None:
            nn.utils.clip_grad_value_(self.parameters, value)
        if norm is not None and not known <= norm:
            left = total_norm if value is None else self._gradient_norm()
            nn.utils.clip_grads_with_norm_(self.parameters, norm, left)
