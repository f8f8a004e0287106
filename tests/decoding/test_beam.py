"""Beam search against greedy search, exhaustive search, and one row at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqlab.core.network import Alphabet, GeneratingNetwork, StepOutput, TokenStep
from seqlab.core.state import State
from seqlab.data.batches import PairBatch, TokenBatch
from seqlab.data.vocabulary import ALPHABET, END, PAD, START
from seqlab.decoding.beam import beam_search
from seqlab.decoding.sampling import greedy
from tests.conftest import MODELS, tiny_config, tiny_network, tiny_task

V, LENGTH = 6, 4


class Table(GeneratingNetwork[TokenBatch]):
    """The next token's scores are a table of the row, the step and the token before."""

    alphabet = ALPHABET

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.score_BTVV = 3 * torch.randn(3, LENGTH, V, V, generator=torch.Generator().manual_seed(seed))

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        raise AssertionError("start() knows the rows")

    def forward(self, batch: TokenBatch, state: State) -> StepOutput:
        raise AssertionError("generation must not need it")

    def start(self, batch: TokenBatch, capacity: int) -> tuple[TokenStep, State]:
        def step(token_B: Tensor, state: State) -> tuple[Tensor, State]:
            row_B, step_B = state
            assert isinstance(row_B, Tensor)
            assert isinstance(step_B, Tensor)
            return self.score_BTVV[row_B, step_B, token_B], (row_B, step_B + 1)

        return step, (batch.inputs_BT[:, 0], torch.zeros(batch.size, dtype=torch.long))


def _rows(*rows: int) -> TokenBatch:
    ids_BT = torch.tensor(rows)[:, None]
    return TokenBatch(inputs_BT=ids_BT, targets_BT=ids_BT, target_count=0, positions=0)


def _search(network: GeneratingNetwork[Any], batch: Any, beams: int, penalty: float = 0.0, length: int = LENGTH) -> Any:
    first_B = torch.full((batch.size,), START)
    return beam_search(network, batch, first_B, length, beams, penalty).tolist()


def test_end_and_padding_come_from_the_networks_alphabet() -> None:
    plain, other = Table(3), Table(3)
    order_V = torch.tensor([4, 1, 5, 0, 2, 3])  # token v of the one is order_V[v] of the other
    other.score_BTVV = torch.empty_like(plain.score_BTVV)
    other.score_BTVV[:, :, order_V[:, None], order_V[None]] = plain.score_BTVV
    other.alphabet = Alphabet(start=int(order_V[START]), end=int(order_V[END]), pad=int(order_V[PAD]))
    for search in (partial(beam_search, beams=3), greedy):
        expected_BT = search(plain, _rows(0, 1, 2), torch.full((3,), START), length=LENGTH)
        found_BT = search(other, _rows(0, 1, 2), torch.full((3,), other.alphabet.start), length=LENGTH)
        assert torch.equal(found_BT, order_V[expected_BT])
        assert END in expected_BT[:, :-1]


def _best_of_all(network: Table, row: int, penalty: float) -> list[int]:
    """By trying every sequence that ends in END or at the last step."""
    log_share_TVV = network.score_BTVV[row].log_softmax(-1)
    best, found = float("-inf"), list[int]()
    for length in range(1, LENGTH + 1):
        for sequence in product(range(V), repeat=length):
            if END in sequence[:-1] or (length < LENGTH and sequence[-1] != END):
                continue
            steps = zip((START, *sequence), sequence, strict=False)
            score = sum(float(log_share_TVV[t, before, token]) for t, (before, token) in enumerate(steps))
            score /= ((5 + length) / 6) ** penalty
            if score > best:
                best, found = score, list(sequence)
    return found


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([0.0, 0.6, 1.0]))
def test_with_enough_beams_the_search_is_exhaustive(seed: int, penalty: float) -> None:
    network = Table(seed)
    for row, found in enumerate(_search(network, _rows(0, 1, 2), V**LENGTH, penalty)):
        ended = found.index(END) + 1 if END in found else len(found)
        assert found[:ended] == _best_of_all(network, row, penalty)
        assert set(found[ended:]) <= {PAD}


@given(seed=st.integers(0, 10_000))
def test_one_beam_is_the_greedy_search(seed: int) -> None:
    network, batch = Table(seed), _rows(2, 0, 1)
    first_B = torch.full((3,), START)
    assert _search(network, batch, 1, 0.7) == greedy(network, batch, first_B, LENGTH).tolist()


@given(seed=st.integers(0, 10_000), beams=st.integers(1, 5))
def test_rows_are_independent(seed: int, beams: int) -> None:
    network = Table(seed)
    together = _search(network, _rows(0, 1, 2), beams)
    for row, found in enumerate(together):
        (alone,) = _search(network, _rows(row), beams)
        assert found == alone + [PAD] * (len(found) - len(alone))


def _reading_anew(network: GeneratingNetwork[Any], batch: Any, beams: int, length: int) -> list[int]:
    """The same search for one row, written with lists; each beam's past is read again from its start at each step."""
    kept: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(length):
        found: list[tuple[float, list[int]]] = []
        for score, tokens in kept:
            if tokens and tokens[-1] == END:
                found.append((score, tokens))
                continue
            step, state = network.start(batch, length)
            for token in (START, *tokens):
                logits_BV, state = step(torch.tensor([token]), state)
            shares = logits_BV[0].float().log_softmax(-1).tolist()
            found += [(score + share, [*tokens, token]) for token, share in enumerate(shares)]
        kept = sorted(found, reverse=True)[:beams]
    return max(kept)[1]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_a_carried_state_equals_rereading_the_prefix(model: str, beams: int) -> None:
    config = tiny_config(model, "translation")
    network = tiny_network(config)
    assert isinstance(network, GeneratingNetwork)
    batch: PairBatch = next(tiny_task(config).batches("test", 0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)  # scores that differ more, so that beams do

    def rows(*chosen: int) -> PairBatch:
        of = torch.tensor(chosen)
        return replace(batch, source_BS=batch.source_BS[of], target_BT=batch.target_BT[of], items_B=batch.items_B[of])

    network.eval()
    together = _search(network, rows(0, 1, 2), beams, length=7)
    with torch.inference_mode():
        for row, found in enumerate(together):
            expected = _reading_anew(network, rows(row), beams, 7)
            assert found == expected + [PAD] * (len(found) - len(expected))
