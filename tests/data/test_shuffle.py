"""Random orders: every number once, chosen by the seed, and random also where no table is made."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data import shuffle
from seqlab.data.shuffle import random_order


def _order(count: int, seed: int, at_once: int) -> torch.Tensor:
    batches = [*random_order(count, at_once, torch.Generator().manual_seed(seed))]
    assert {len(batch) for batch in batches[:-1]} <= {at_once}
    return torch.cat(batches)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is made."""
    monkeypatch.setattr(shuffle, "_TABLE", 0)


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**31), at_once=st.integers(1, 700))
def test_every_number_stands_in_it_once(count: int, seed: int, at_once: int) -> None:
    for table in (0, 2**20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shuffle, "_TABLE", table)
            found = _order(count, seed, at_once)
        assert found.sort().values.equal(torch.arange(count))


def test_a_table_is_what_randperm_gives() -> None:
    assert _order(100, 3, 7).equal(torch.randperm(100, generator=torch.Generator().manual_seed(3)))


@pytest.mark.usefixtures("computed")
def test_a_computed_order_is_as_random_as_a_table() -> None:
    count = 50_000
    one, other = _order(count, 0, count), _order(count, 1, count)
    assert int((one == other).sum()) < 10  # 1 is expected
    place = torch.arange(count)
    for order in (one, other):
        assert int((order == place).sum()) < 10
        pairs = torch.stack([order[:-1], order[1:], place[1:]]).double()
        assert torch.corrcoef(pairs).triu(1).abs().max() < 0.025  # 5.6 standard errors
        # how often neighbours stay neighbours, and which bits go together
        assert int((order.diff().abs() == 1).sum()) < 15  # 2 are expected
        # of 64 cells of place and number, none has too many or too few: chi squared with 49 degrees of freedom
        cells = torch.bincount((place * 8 // count) * 8 + order * 8 // count, minlength=64)
        assert float(((cells - count / 64) ** 2 / (count / 64)).sum()) < 100


@pytest.mark.usefixtures("computed")
def test_a_large_order_is_computed_batch_by_batch() -> None:
    order = random_order(10**12, 1000, torch.Generator().manual_seed(0))
    found = torch.cat([*islice(order, 100)])
    assert len(found.unique()) == 100_000
    assert 0 <= int(found.min()) < 10**8 < 10**12 - 10**8 < int(found.max()) < 10**12
