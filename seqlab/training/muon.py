"""Muon (Jordan 2024): the mean gradient of a weight matrix, made orthogonal, so that a step is as large in every
direction. Adam's steps are dominated by a few."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, cast

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count, Positive, Probability
from seqlab.core.network import Network
from seqlab.training.optim import OptimConfig, Uncompiled, without_hooks


@config_dataclass(frozen=True, kw_only=True)
class MuonConfig(OptimConfig):
    """Settings of `optim=muon`: Muon for the weight matrices of the sequence models' layers, AdamW for everything else
    (embeddings, output layer, biases, norms, depthwise convolutions).

    learning_rate: of both; Muon's step has the size of AdamW's (Liu 2025, equation 4). momentum: decay of the mean
    gradient. iterations: of Newton and Schulz. betas, epsilon: of AdamW.
    """

    momentum: Probability
    iterations: Count
    betas: tuple[Probability, Probability]
    epsilon: Positive
    whole_matrices: ClassVar[bool] = True

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Each group divided into what Muon changes and the rest."""
        chosen = set(map(id, _matrices(network)))
        divided: list[dict[str, Any]] = []
        for group in super().groups(network):
            for muons in (True, False):
                parameters = [p for p in group["params"] if (id(p) in chosen) == muons]
                divided += [{**group, "params": parameters, "orthogonal": muons}] if parameters else []
        return divided

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return Muon(groups, self)


class Muon(Uncompiled, torch.optim.Optimizer):
    """Muon in the groups that are `orthogonal`, AdamW in the others."""

    def __init__(self, groups: list[dict[str, Any]], config: MuonConfig) -> None:
        kept = {name: getattr(config, name) for name in ("momentum", "iterations", "betas", "epsilon")}
        super().__init__(groups, {"lr": config.learning_rate, **kept})

    @without_hooks
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            change = self._orthogonal if group["orthogonal"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(change(parameter, group), alpha=group["lr"])

    def _orthogonal(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        gradient, mean = self._means(parameter, "mean")
        mean.lerp_(gradient, 1 - group["momentum"])
        ahead_RC = gradient.lerp(mean, group["momentum"]).flatten(1)  # Nesterov's
        # the root mean square of an orthogonal matrix is 1 / sqrt(its longer side), that of a step of AdamW about 0.2
        size = 0.2 * math.sqrt(max(ahead_RC.shape))
        return size * orthogonal(ahead_RC, group["iterations"]).view_as(gradient)

    def _adam(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        gradient, mean, square = self._means(parameter, "mean", "square")
        number = self.state[parameter]["step"] = self.state[parameter].get("step", 0) + 1
        first, second = group["betas"]
        mean.lerp_(gradient, 1 - first)
        square.lerp_(gradient.square(), 1 - second)
        change: Tensor = mean / (1 - first**number) / ((square / (1 - second**number)).sqrt() + group["epsilon"])
        return change

    def _means(self, parameter: nn.Parameter, *names: str) -> list[Tensor]:
        """The gradient and its running means, 0 before the first step."""
        state = self.state[parameter]
        if not state:
            state.update({name: torch.zeros_like(parameter) for name in names})
        return [cast("Tensor", parameter.grad), *(state[name] for name in names)]


def orthogonal(matrix_RC: Tensor, iterations: int) -> Tensor:
    """Nearly U V^T, where the matrix is U S V^T, by Newton and Schulz's iteration
    X <- P X, P = a + b X X^T + c (X X^T)^2, with coefficients that bring singular values soon between 0.7 and 1.2
    rather than slowly to 1 (Jordan 2024). All P are polynomials in the first X X^T, which is the smaller matrix: only
    their product is multiplied with X. In fp32, also on devices that have less, so that runs depend on them less."""
    x = matrix_RC.float() if matrix_RC.shape[0] <= matrix_RC.shape[1] else matrix_RC.float().mT
    x = x / x.norm().clamp(min=1e-7)
    gram = x @ x.mT
    factor = product = _polynomial(gram)
    for _ in range(iterations - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        product = factor @ product
    made = product @ x
    step_RC: Tensor = made if made.shape == matrix_RC.shape else made.mT
    return step_RC.to(matrix_RC.dtype)


def _polynomial(gram: Tensor) -> Tensor:
    a, b, c = 3.4445, -4.7750, 2.0315
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


def _matrices(network: nn.Module) -> Iterator[nn.Parameter]:
    """Weights of the linear, convolutional and recurrent layers of a network's sequence models: those that multiply."""
    for part in network.parts().body if isinstance(network, Network) else (network,):
        for module in part.modules() if isinstance(part, nn.Module) else ():
            depthwise = isinstance(module, nn.Conv1d) and module.groups > 1  # its features never meet
            if isinstance(module, nn.Linear | nn.Conv1d | nn.RNNBase) and not depthwise:
                yield from (p for p in module.parameters(recurse=False) if p.ndim > 1)
