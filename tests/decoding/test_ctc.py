"""The decoding and the loss of CTC against the sum over all paths."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.decoding.ctc import best_symbols, collapsed, greedy_path, prefix_beam_search
from seqlab.networks.ctc import transcript_nats


def _log_probability(steps: int, symbols: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(steps, symbols, generator=generator, dtype=torch.float64)).log_softmax(-1)


def _transcripts(log_TV: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The probability of every transcript: the sum over its paths."""
    steps, symbols = log_TV.shape
    found: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(symbols), repeat=steps):
        found[collapsed(list(path))] += math.exp(sum(float(log_TV[t, v]) for t, v in enumerate(path)))
    return found


def test_a_path_collapses_to_its_transcript() -> None:
    assert collapsed([0, 1, 1, 0, 1, 2, 2, 0]) == (1, 1, 2)
    assert collapsed([0, 0]) == ()
    assert collapsed([3]) == (3,)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 10_000))
def test_enough_beams_find_the_likeliest_transcript(steps: int, symbols: int, seed: int) -> None:
    log_TV = _log_probability(steps, symbols, seed)
    every = _transcripts(log_TV)
    assert every[prefix_beam_search(log_TV, 1000)] == pytest.approx(max(every.values()))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 10_000), st.integers(1, 4))
def test_few_beams_find_a_transcript_that_is_hardly_less_likely(
    steps: int, symbols: int, seed: int, beams: int
) -> None:
    """No less than the likeliest path alone, with four; and always one that there is."""
    log_TV = _log_probability(steps, symbols, seed)
    every, found = _transcripts(log_TV), prefix_beam_search(log_TV, beams)
    assert found in every
    likeliest_path = math.exp(float(log_TV.max(1).values.sum()))
    if beams == 4:
        assert every[found] >= likeliest_path - 1e-12


def test_greedy_takes_the_likeliest_path_and_beams_the_likeliest_transcript() -> None:
    """The example of Hannun 2017: a blank is likelier at each position, and yet `a` in all."""
    log_TV = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert greedy_path(log_TV) == ()
    assert prefix_beam_search(log_TV, 2) == (1,)
    assert best_symbols(log_TV, 1) == ()
    assert best_symbols(log_TV, 2) == (1,)


def test_the_loss_is_the_sum_over_all_paths() -> None:
    logits_BTV = torch.stack([_log_probability(4, 3, seed) for seed in range(3)]).float()
    targets, lengths = [(1, 2), (1, 1), ()], [4, 3, 2]
    target_BU = torch.tensor([[1, 2], [1, 1], [-100, -100]])
    valid_BT = torch.arange(4) < torch.tensor(lengths)[:, None]
    nats_B = transcript_nats(logits_BTV, target_BU, valid_BT)
    for row, target in enumerate(targets):
        every = _transcripts(logits_BTV[row, : lengths[row]].log_softmax(-1))
        assert float(nats_B[row]) == pytest.approx(-math.log(every[target]), rel=1e-4)


def test_too_few_positions_have_an_infinite_loss() -> None:
    nats_B = transcript_nats(torch.zeros(1, 2, 3), torch.tensor([[1, 1]]), torch.ones(1, 2, dtype=torch.bool))
    assert math.isinf(float(nats_B))


def test_the_gradient_is_that_of_torchs_own_loss() -> None:
    logits_BTV = torch.stack([_log_probability(6, 4, seed) for seed in range(3)]).float()
    target_BU = torch.tensor([[1, 2, 2], [3, -100, -100], [1, 2, -100]])
    valid_BT = torch.arange(6) < torch.tensor([6, 3, 5])[:, None]
    gradients = []
    for own in (True, False):
        leaf_BTV = logits_BTV.clone().requires_grad_()
        if own:
            nats_B = transcript_nats(leaf_BTV, target_BU, valid_BT)
        else:
            log_TBV, lengths = (
                leaf_BTV.log_softmax(-1).transpose(0, 1),
                (torch.tensor([6, 3, 5]), torch.tensor([3, 1, 2])),
            )
            nats_B = torch.nn.functional.ctc_loss(log_TBV, target_BU.clamp(min=0), *lengths, reduction="none")
        (nats_B * torch.tensor([1.0, 2.0, 0.5])).sum().backward()
        assert leaf_BTV.grad is not None
        gradients.append(leaf_BTV.grad)
    torch.testing.assert_close(*gradients)
    assert float(gradients[0][1, 3:].abs().max()) == 0
