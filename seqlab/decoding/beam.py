"""Beam search for every family, through State alone. B batch, K beams of a row, T time, V vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.core.batch import BatchT
from seqlab.core.network import GeneratingNetwork, evaluating
from seqlab.core.state import select_rows
from seqlab.errors import ConfigError


@torch.inference_mode()
def beam_search(
    network: GeneratingNetwork[BatchT],
    batch: BatchT,
    first_B: Tensor,
    length: int,
    beams: int,
    length_penalty: float = 0.0,
) -> Tensor:
    """The best sequence that beam search finds for each row, (B, T <= length), with padding after its end.

    At each step the K likeliest of all continuations of a row's K beams are kept; one that has ended keeps its place
    and its score. At the end, the beam with the highest log P / ((5 + T) / 6)^length_penalty is taken (Wu 2016,
    equation 14); a penalty of 0 compares probabilities, which favours short sequences. One beam is greedy search; as
    many beams as there are sequences make it exhaustive. Rows are independent.
    """
    rows, device, alphabet = len(first_B), first_B.device, network.alphabet
    if beams < 1:
        raise ConfigError(f"beam search needs at least one beam, not {beams}", "give it 1 or more")
    tokens_BKT = torch.full((rows, beams, 0), alphabet.pad, device=device)
    # at first all beams of a row are identical: only the first may be continued
    score_BK = torch.full((rows, beams), float("-inf"), device=device)
    score_BK[:, 0] = 0.0
    done_BK = torch.zeros(rows, beams, dtype=torch.bool, device=device)
    length_BK = torch.zeros(rows, beams, device=device)
    row_BK = torch.arange(rows, device=device)[:, None].expand(rows, beams)
    with evaluating(network):
        step, state = network.start(batch, length)
        state = select_rows(state, row_BK.flatten())
        token_BK = first_B[:, None].expand(rows, beams)
        for _ in range(length):
            logits_NV, state = step(token_BK.flatten(), state)
            log_probability_BKV = logits_NV.float().log_softmax(-1).view(rows, beams, -1)
            # a beam that has ended continues with padding only, at no cost
            log_probability_BKV = log_probability_BKV.masked_fill(done_BK[..., None], float("-inf"))
            log_probability_BKV[..., alphabet.pad] = torch.where(done_BK, 0.0, log_probability_BKV[..., alphabet.pad])
            vocabulary = log_probability_BKV.shape[-1]
            score_BK, place_BK = (score_BK[..., None] + log_probability_BKV).flatten(1).topk(beams)
            parent_BK, token_BK = place_BK // vocabulary, place_BK % vocabulary
            done_BK, length_BK = done_BK.gather(1, parent_BK), length_BK.gather(1, parent_BK)
            length_BK = length_BK + (~done_BK)
            done_BK = done_BK | (token_BK == alphabet.end)
            history_BKT = tokens_BKT.gather(1, parent_BK[..., None].expand(-1, -1, tokens_BKT.shape[2]))
            tokens_BKT = torch.cat((history_BKT, token_BK[..., None]), 2)
            if bool(done_BK.all()):
                break
            state = select_rows(state, (row_BK * beams + parent_BK).flatten())
    best_B = (score_BK / ((5 + length_BK) / 6) ** length_penalty).argmax(1)
    return tokens_BKT[torch.arange(rows, device=device), best_B]
