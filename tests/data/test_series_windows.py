"""Batches of a series: what is read and predicted where, and that nothing of a later split is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.series_windows import ForecastBatch, SeriesWindows


def _windows(values: int, horizon: int, season: int | None = None, series: int = 1) -> SeriesWindows:
    """Whose values are their places, so that each target says where it is from; the second series is 1000 higher."""
    value_NV = torch.arange(values).float()[:, None] + 1000 * torch.arange(series)
    return SeriesWindows(value_NV, value_NV, torch.ones_like(value_NV, dtype=torch.bool), horizon, season)


def _pairs(batch: ForecastBatch) -> list[tuple[int, int, int]]:
    """(row, place read, place predicted) of every scored target of the first series."""
    places = batch.scored_BTK.nonzero().tolist()
    return [(b, int(batch.inputs_BTF[b, t, 0]), int(batch.targets_BTK[b, t, k])) for b, t, k in places]


@given(
    end=st.integers(10, 60), rows=st.integers(1, 5), window=st.integers(1, 12), horizon=st.integers(1, 5),
    seed=st.integers(0, 99), streams=st.booleans(),
)  # fmt: skip
def test_training_reads_each_place_once_and_predicts_nothing_beyond_its_split(
    end: int, rows: int, window: int, horizon: int, seed: int, streams: bool
) -> None:
    windows = _windows(end + 20, horizon)  # 20 values of the next split
    batches = list((windows.streams if streams else windows.shuffled)(end, rows, min(window, end), seed))
    pairs = [(place, target) for batch in batches for _, place, target in _pairs(batch)]
    wanted = [(place, place + ahead) for place in range(end) for ahead in range(1, horizon + 1) if place + ahead < end]
    assert sorted(pairs) == wanted
    assert sum(batch.target_count for batch in batches) == len(wanted)
    assert all(float(batch.inputs_BTF.max()) < end for batch in batches)
    assert [batch.continues for batch in batches] == [streams and index > 0 for index in range(len(batches))]


def test_streams_continue_in_the_same_row() -> None:
    last_R1 = None
    for batch in _windows(200, 2).streams(200, 4, 10, 3):
        first_R1 = batch.inputs_BTF[:, 0]
        if last_R1 is not None:
            assert torch.equal((last_R1 + 1) % 200, first_R1)
        last_R1 = batch.inputs_BTF[:, -1]


@pytest.mark.parametrize("warm_up", [0, 1, 3])
def test_each_origin_ends_a_row_that_begins_windows_before(warm_up: int) -> None:
    windows, origin_R = _windows(100, 4), torch.tensor([39, 43, 47, 51, 55])
    batches = list(windows.from_origins(origin_R, 60, 2, 10, warm_up))
    assert [batch.continues for batch in batches[: warm_up + 1]] == [False, *[True] * warm_up]
    for group, origin_B in enumerate(origin_R.split(2)):
        pieces = batches[group * (warm_up + 1) : (group + 1) * (warm_up + 1)]
        read_BT = torch.cat([piece.inputs_BTF[..., 0] for piece in pieces], 1)
        for row, origin in enumerate(origin_B.tolist()):
            assert read_BT[row].tolist() == list(range(origin + 1 - 10 * (warm_up + 1), origin + 1))
        assert not any(piece.scored for piece in pieces[:-1])
        pairs = _pairs(pieces[-1])
        assert pairs == [
            (row, origin, origin + ahead) for row, origin in enumerate(origin_B.tolist()) for ahead in range(1, 5)
        ]
        assert pieces[-1].items_B.tolist() == [2 * group + row for row in range(len(origin_B))]


def test_a_short_past_is_read_as_far_as_it_goes() -> None:
    (batch,) = _windows(30, 2).from_origins(torch.tensor([6]), 30, 1, 10, 3)
    assert batch.inputs_BTF[0, :, 0].tolist() == list(range(7))


@pytest.mark.parametrize(("season", "base"), [(3, [7, 8, 9, 7, 8]), (7, [3, 4, 5, 6, 7]), (4, [6, 7, 8, 9, 6])])
def test_differences_are_to_the_last_value_of_the_season_that_is_known(season: int, base: list[int]) -> None:
    windows = _windows(40, 5, season)
    at_BT = torch.arange(10)[None]
    batch = windows.batch(at_BT, 40, torch.zeros(1))
    target_K = batch.targets_BTK[0, 9]
    assert (torch.arange(10, 15) - target_K).tolist() == base
    assert windows.base(at_BT)[0, 9, :, 0].tolist() == base
    assert batch.scored_BTK[0].any(1).tolist() == [place >= season - 1 for place in range(10)]


def test_a_filled_value_is_read_and_is_no_target() -> None:
    windows = _windows(20, 3, series=2)
    windows.known_NV[8, 0] = False
    batch = windows.batch(torch.arange(5, 10)[None], 20, torch.zeros(1))
    scored_THV = batch.scored_BTK[0].view(5, 3, 2)
    assert scored_THV[..., 1].all()
    assert (~scored_THV[..., 0]).nonzero().tolist() == [[0, 2], [1, 1], [2, 0]]
    assert batch.targets_BTK[0].view(5, 3, 2)[0, :, 1].tolist() == [1006, 1007, 1008]
    assert batch.inputs_BTF[0, 3].tolist() == [8, 1008]


def test_a_batch_is_cut_along_time() -> None:
    whole = _windows(50, 3).batch(torch.arange(20).view(2, 10), 50, torch.arange(2))
    parts = list(whole.windows(4))
    assert [part.continues for part in parts] == [False, True, True]
    assert sum(part.target_count for part in parts) == whole.target_count
    assert torch.equal(torch.cat([part.targets_BTK for part in parts], 1), whole.targets_BTK)
