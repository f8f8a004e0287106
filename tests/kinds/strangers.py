"""A task from outside this repository, trained for two steps."""

from __future__ import annotations

from typing import Any

import torch

from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.training.device import Device
from seqlab.training.trainer import Trainer
from tests.conftest import TASKS, tiny_config


def trained(task: Task[Any]) -> Network[Any]:
    """A small network of the task after two steps, whose weights have moved."""
    config = tiny_config("gru", TASKS[0], "trainer.max_steps=2")
    torch.manual_seed(0)
    network = task.build_network(config.model)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    device = Device(torch.device("cpu"), "fp32", compile=False)
    trainer = Trainer(task, network, config.optim, config.trainer, device, seed=0, folder=None)
    trainer.fit()
    assert trainer.progress.step == 2
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    return network.eval()
