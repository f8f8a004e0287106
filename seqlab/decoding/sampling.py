"""Sampling and greedy search for every family, through State alone. B batch, T time, V vocabulary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from seqlab.core.batch import BatchT
from seqlab.core.network import GeneratingNetwork, Network, evaluating
from seqlab.core.prediction import GenerationConfig
from seqlab.errors import ConfigError, NumericError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn from scores.

    temperature: scores are divided by it; below 1 likely tokens become likelier, at 0 the likeliest is always taken
    (the first of equals). top_k: only that many of the likeliest are drawn (Fan 2018). top_p: only the likeliest that
    together have at least this probability (Holtzman 2020). Both apply after the temperature, top_k first.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            what = f"a temperature of {self.temperature:g} is not allowed"
            raise ConfigError(what, "give it 0 (the likeliest token) or more, e.g. 0.8")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top-k of {self.top_k} leaves no token to sample", "give it 1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p of {self.top_p:g} is not a probability", "give it more than 0 and at most 1")

    def probabilities(self, logits_BV: Tensor, undrawn: tuple[int, ...] = ()) -> Tensor:
        """probability_BV, with which each token is drawn; 0 for those that are never drawn."""
        # one call for both: for a single token, the overhead of each call counts
        floor_V = _floor(logits_BV.shape[-1], undrawn)
        if self.temperature == 0:
            probability_BV = (floor_V + logits_BV).softmax(-1)
            best_B1 = probability_BV.argmax(-1, keepdim=True)
            only_BV = torch.zeros_like(probability_BV).scatter(-1, best_B1, probability_BV.gather(-1, best_B1))
            return only_BV / only_BV.sum(-1, keepdim=True)  # non-finite values stay non-finite, to be detected
        probability_BV = torch.add(floor_V, logits_BV, alpha=1 / self.temperature).softmax(-1)
        if self.top_k is not None and self.top_k < probability_BV.shape[-1]:
            least_B1 = probability_BV.topk(self.top_k).values[:, -1:]
            probability_BV = probability_BV.masked_fill(probability_BV < least_B1, 0.0)
            probability_BV = probability_BV / probability_BV.sum(-1, keepdim=True)
        if self.top_p is not None:
            sorted_BV, order_BV = probability_BV.sort(descending=True, stable=True)
            # the token with which the sum reaches top_p is kept
            out_BV = sorted_BV.cumsum(-1) - sorted_BV >= self.top_p
            probability_BV = torch.zeros_like(probability_BV).scatter(-1, order_BV, sorted_BV.masked_fill(out_BV, 0.0))
            probability_BV = probability_BV / probability_BV.sum(-1, keepdim=True)
        return probability_BV


@cache
def _floor(tokens: int, undrawn: tuple[int, ...]) -> Tensor:
    """(V,), added to scores: minus infinity for tokens that must not be drawn."""
    with torch.inference_mode(False):
        floor_V = torch.zeros(tokens)
        floor_V[list(undrawn)] = float("-inf")
        return floor_V


@torch.inference_mode()
def stream(
    network: GeneratingNetwork[BatchT],
    batch: BatchT,
    first_B: Tensor,
    length: int,
    sampling: Sampling,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """`length` times the next token_B after `first_B`, each as soon as it is drawn.

    Tokens are drawn on the host by `generator`, so that they are the same on every device. Raises NumericError if the
    scores are not finite.
    """
    with evaluating(network):
        token_B, undrawn = first_B, network.alphabet.undrawn
        step, state = network.start(batch, length)
        for _ in range(length):
            logits_BV, state = step(token_B, state)
            probability_BV = sampling.probabilities(logits_BV.float().cpu(), undrawn)
            # no probability is above 1: a sum that is finite has only finite parts
            if not math.isfinite(probability_BV.sum().item()):
                what = "the network's scores are not finite: no token can be sampled"
                raise NumericError(what, "its weights may have diverged")
            token_B = draw(probability_BV, generator).to(first_B.device)
            yield token_B


def sampled(network: Network[BatchT], batch: BatchT, first_B: Tensor, generation: GenerationConfig) -> Iterator[Tensor]:
    """The same as `stream`, with the sampling options of `generation`."""
    if not isinstance(network, GeneratingNetwork):
        raise TypeError("a network that can write is needed")
    how = Sampling(temperature=generation.temperature, top_k=generation.top_k, top_p=generation.top_p)
    return stream(network, batch, first_B, generation.length, how, torch.Generator().manual_seed(generation.seed))


def draw(probability_BV: Tensor, generator: torch.Generator) -> Tensor:
    """token_B, each drawn with its probability: every token gets an exponential time with its probability as the rate,
    and the earliest wins. So does torch.multinomial, whose checks of its argument take longer than the draw."""
    return (probability_BV / torch.empty_like(probability_BV).exponential_(generator=generator)).argmax(-1)


@torch.inference_mode()
def greedy(network: GeneratingNetwork[BatchT], batch: BatchT, first_B: Tensor, length: int) -> Tensor:
    """The likeliest token at each step, (B, T <= length), with padding after a row's end."""
    alphabet = network.alphabet
    tokens: list[Tensor] = []
    done_B = torch.zeros_like(first_B, dtype=torch.bool)
    with evaluating(network):
        token_B = first_B
        step, state = network.start(batch, length)
        for _ in range(length):
            logits_BV, state = step(token_B, state)
            token_B = logits_BV.argmax(-1).masked_fill(done_B, alphabet.pad)
            tokens.append(token_B)
            done_B = done_B | (token_B == alphabet.end)
            if bool(done_B.all()):
                break
    return torch.stack(tokens, 1)
