"""Sampling and greedy search on a network whose distribution is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqlab.data.vocabulary import END, PAD
from seqlab.decoding.sampling import greedy, sample
from seqlab.interfaces import GeneratingNetwork, State, StepOutput
from seqlab.tasks.char_lm import CharBatch

V = 7
SHARES = torch.tensor([0.02, 0.02, 0.02, 0.04, 0.1, 0.3, 0.5])


class Known(GeneratingNetwork[CharBatch]):
    """The same distribution at every step; row b ends (in greedy search) after b + 1 tokens."""

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, dtype=torch.long)

    def forward(self, batch: CharBatch, state: State) -> StepOutput:
        raise AssertionError("generation must not need it")

    def start(self, batch: CharBatch, capacity: int) -> State:
        return self.initial_state(batch.size)

    def next(self, token_B: Tensor, state: State) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        logits_BV = SHARES.log().repeat(len(token_B), 1)
        logits_BV[state == torch.arange(len(token_B)) + 1, END] = 9.0
        return logits_BV, state + 1


def _batch(rows: int) -> CharBatch:
    ids_BT = torch.zeros(rows, 1, dtype=torch.long)
    return CharBatch(inputs_BT=ids_BT, targets_BT=ids_BT, target_count=0, positions=0)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_from_the_tempered_distribution(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # rows end late enough that END's boost is never seen
    drawn = sample(Known(), _batch(20_000), torch.zeros(20_000, dtype=torch.long), 1, temperature, generator)
    frequencies = torch.bincount(drawn.flatten(), minlength=V) / drawn.numel()
    expected = (SHARES.log() / temperature).softmax(0)
    torch.testing.assert_close(frequencies, expected, rtol=0, atol=0.012)


def test_specials_can_be_forbidden() -> None:
    generator = torch.Generator().manual_seed(0)
    first_B = torch.zeros(500, dtype=torch.long)
    drawn = sample(Known(), _batch(500), first_B, 4, 1.0, generator, forbid_specials=True)
    assert int(drawn.min()) > END


def test_greedy_rows_end_each_on_its_own_and_the_search_with_the_last() -> None:
    written_BT = greedy(Known(), _batch(3), torch.zeros(3, dtype=torch.long), 50)
    likeliest = V - 1
    assert written_BT.tolist() == [
        [likeliest, END, PAD, PAD],
        [likeliest, likeliest, END, PAD],
        [likeliest, likeliest, likeliest, END],
    ]
