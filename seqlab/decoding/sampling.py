"""Writing one token after another, for every family, through State alone. B batch, T time, V vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.data.vocabulary import END, PAD, SPECIALS
from seqlab.errors import NumericError
from seqlab.interfaces import BatchT, GeneratingNetwork, evaluating


@torch.inference_mode()
def sample(
    network: GeneratingNetwork[BatchT],
    batch: BatchT,
    first_B: Tensor,
    length: int,
    temperature: float,
    generator: torch.Generator,
    *,
    forbid_specials: bool = False,
) -> Tensor:
    """`length` tokens a row after `first_B`, drawn from softmax(logits / temperature).

    The draw is made on the host by `generator`, so that it is the same on every device. With
    `forbid_specials` padding, unknown, start and end are never drawn. Raises NumericError where the scores are not
    finite.
    """
    tokens: list[Tensor] = []
    with evaluating(network):
        token_B, state = first_B, network.start(batch, length)
        for _ in range(length):
            logits_BV, state = network.next(token_B, state)
            if forbid_specials:
                logits_BV[:, : len(SPECIALS)] = float("-inf")
            share_BV = (logits_BV.float().cpu() / temperature).softmax(-1)
            if not share_BV.isfinite().all():
                what = "the network's scores are not finite: it cannot write"
                raise NumericError(what, "its weights may have diverged")
            token_B = torch.multinomial(share_BV, 1, generator=generator)[:, 0].to(first_B.device)
            tokens.append(token_B)
    return torch.stack(tokens, 1)


@torch.inference_mode()
def greedy(network: GeneratingNetwork[BatchT], batch: BatchT, first_B: Tensor, length: int) -> Tensor:
    """The likeliest token at each step, (B, T <= length); a row is filled with PAD after its END."""
    tokens: list[Tensor] = []
    done_B = torch.zeros_like(first_B, dtype=torch.bool)
    with evaluating(network):
        token_B, state = first_B, network.start(batch, length)
        for _ in range(length):
            logits_BV, state = network.next(token_B, state)
            token_B = logits_BV.argmax(-1).masked_fill(done_B, PAD)
            tokens.append(token_B)
            done_B = done_B | (token_B == END)
            if bool(done_B.all()):
                break
    return torch.stack(tokens, 1)
