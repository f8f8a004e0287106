"""Sampling and greedy search on a network whose distribution is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqlab.core.network import Alphabet, GeneratingNetwork, StepOutput, TokenStep
from seqlab.core.state import State
from seqlab.data.batches import TokenBatch
from seqlab.decoding.sampling import Sampling, draw, greedy, stream
from seqlab.errors import ConfigError, NumericError

V = 7
PROBABILITIES = torch.tensor([0.02, 0.02, 0.02, 0.04, 0.1, 0.3, 0.5])
PAD, END = 2, 3
UNDRAWN = (0, 1, END, 5)


class Known(GeneratingNetwork[TokenBatch]):
    """The same distribution at every step; row b ends (in greedy search) after b + 1 tokens."""

    def __init__(self, undrawn: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.alphabet = Alphabet(start=0, end=END, pad=PAD, undrawn=undrawn)

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return torch.zeros(rows, dtype=torch.long)

    def forward(self, batch: TokenBatch, state: State) -> StepOutput:
        raise AssertionError("generation must not need it")

    def start(self, batch: TokenBatch, capacity: int) -> tuple[TokenStep, State]:
        return self.step, self.initial_state(batch.size)

    def step(self, token_B: Tensor, state: State) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        logits_BV = PROBABILITIES.log().repeat(len(token_B), 1)
        logits_BV[state == torch.arange(len(token_B)) + 1, END] = 9.0
        return logits_BV, state + 1


def _batch(rows: int) -> TokenBatch:
    ids_BT = torch.zeros(rows, 1, dtype=torch.long)
    return TokenBatch(inputs_BT=ids_BT, targets_BT=ids_BT, target_count=0, positions=0)


def sample(*arguments: Any) -> Tensor:
    """All of a stream, (B, T)."""
    return torch.stack(list(stream(*arguments)), 1)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_from_the_tempered_distribution(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # rows end late enough that END's boost is never seen
    first_B = torch.zeros(20_000, dtype=torch.long)
    drawn = sample(Known(), _batch(20_000), first_B, 1, Sampling(temperature=temperature), generator)
    frequencies = torch.bincount(drawn.flatten(), minlength=V) / drawn.numel()
    expected = (PROBABILITIES.log() / temperature).softmax(0)
    torch.testing.assert_close(frequencies, expected, rtol=0, atol=0.012)


@pytest.mark.parametrize("rest", [{}, {"top_k": 3}, {"top_p": 0.9}])
def test_a_temperature_of_0_takes_the_likeliest_of_what_may_be_drawn(rest: dict[str, float]) -> None:
    logits_BV = torch.randn(50, 12, generator=torch.Generator().manual_seed(2))
    logits_BV[:, 1] = 9.0  # the likeliest, which must not be drawn
    probability_BV = Sampling(temperature=0, **rest).probabilities(logits_BV, UNDRAWN)  # type: ignore[arg-type]
    assert torch.equal(probability_BV.sum(-1), torch.ones(50))
    allowed_V = torch.tensor([token for token in range(12) if token not in UNDRAWN])
    assert torch.equal(probability_BV.argmax(-1), allowed_V[logits_BV[:, allowed_V].argmax(-1)])
    assert set(probability_BV.unique().tolist()) == {0.0, 1.0}
    for seed in range(3):
        assert torch.equal(draw(probability_BV, torch.Generator().manual_seed(seed)), probability_BV.argmax(-1))
    assert bool(Sampling(temperature=0).probabilities(torch.full((1, 4), float("nan"))).isnan().all())


@pytest.mark.parametrize("rows", [1, 300])
def test_draws_have_the_distribution_of_multinomial(rows: int) -> None:
    probability_BV = Sampling(top_k=5).probabilities(torch.randn(rows, 40, generator=torch.Generator().manual_seed(1)))
    mine, theirs = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    for _ in range(50):
        expected_B = torch.multinomial(probability_BV, 1, generator=theirs)[:, 0]
        assert torch.equal(draw(probability_BV, mine), expected_B)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_non_finite_scores_are_an_error(wrong: float) -> None:
    class Diverged(Known):
        def step(self, token_B: Tensor, state: State) -> tuple[Tensor, State]:
            logits_BV, state = super().step(token_B, state)
            logits_BV[1, 5] = wrong
            return logits_BV, state

    with pytest.raises(NumericError, match="not finite"):
        sample(Diverged(), _batch(3), torch.zeros(3, dtype=torch.long), 1, Sampling(), torch.Generator())


def test_undrawn_tokens_are_never_sampled() -> None:
    generator = torch.Generator().manual_seed(0)
    first_B = torch.zeros(500, dtype=torch.long)
    drawn = sample(Known(UNDRAWN), _batch(500), first_B, 4, Sampling(), generator)
    assert set(drawn.unique().tolist()) == set(range(V)) - set(UNDRAWN)


def test_greedy_rows_end_each_on_its_own_and_the_search_with_the_last() -> None:
    written_BT = greedy(Known(), _batch(3), torch.zeros(3, dtype=torch.long), 50)
    likeliest = V - 1
    assert written_BT.tolist() == [
        [likeliest, END, PAD, PAD],
        [likeliest, likeliest, END, PAD],
        [likeliest, likeliest, likeliest, END],
    ]


SCORES = st.lists(st.floats(-8, 8, width=32), min_size=5, max_size=12)


@given(SCORES, st.integers(1, 14), st.floats(0.2, 3.0))
def test_top_k_keeps_the_likeliest_in_proportion(scores: list[float], k: int, temperature: float) -> None:
    logits_BV = torch.tensor([scores])
    plain_V = Sampling(temperature=temperature).probabilities(logits_BV)[0]
    kept_V = Sampling(temperature=temperature, top_k=k).probabilities(logits_BV)[0]
    in_V = kept_V > 0
    assert int(in_V.sum()) >= min(k, len(scores))  # what is as likely as the last one is in as well
    assert float(plain_V[~in_V].max() if bool((~in_V).any()) else 0.0) <= float(plain_V[in_V].min())
    torch.testing.assert_close(kept_V[in_V], plain_V[in_V] / plain_V[in_V].sum(), rtol=1e-4, atol=1e-6)


@given(SCORES, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_reach_it(scores: list[float], p: float) -> None:
    logits_BV = torch.tensor([scores])
    plain_V = Sampling().probabilities(logits_BV)[0]
    kept_V = Sampling(top_p=p).probabilities(logits_BV)[0]
    in_V = kept_V > 0
    assert float(plain_V[in_V].sum()) >= p - 1e-5
    assert float(plain_V[in_V].sum() - plain_V[in_V].min()) < p + 1e-5
    torch.testing.assert_close(kept_V.sum(), torch.tensor(1.0))


def test_top_k_of_one_is_the_greedy_search() -> None:
    first_B = torch.zeros(3, dtype=torch.long)
    drawn = sample(Known(), _batch(3), first_B, 2, Sampling(top_k=1), torch.Generator().manual_seed(0))
    assert drawn.tolist()[2] == greedy(Known(), _batch(3), first_B, 2).tolist()[2]


def test_the_stream_equals_the_sample() -> None:
    first_B = torch.zeros(4, dtype=torch.long)
    whole = sample(Known(), _batch(4), first_B, 6, Sampling(), torch.Generator().manual_seed(3))
    pieces = stream(Known(), _batch(4), first_B, 6, Sampling(), torch.Generator().manual_seed(3))
    assert torch.equal(next(pieces), whole[:, 0])  # before the rest is drawn
    assert not torch.is_inference_mode_enabled()  # whoever takes the pieces may be training something else
    assert torch.equal(torch.stack(list(pieces), 1), whole[:, 1:])


@pytest.mark.parametrize(
    "wrong", [{"temperature": -0.1}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 1.5}, {"top_p": 0.0}]
)
def test_invalid_sampling_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Sampling(**wrong)  # type: ignore[arg-type]
