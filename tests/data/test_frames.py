"""Standardised, masked and stacked frames, and their batches."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.frames import Masks, Scaling, frame_batches, stacked


def _sequences(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(length, 5, generator=generator) + 3 for length in lengths]


def test_a_scaling_gives_zero_mean_and_unit_variance_and_keeps_constants_finite() -> None:
    sequences = [torch.cat((x_TF, torch.full((len(x_TF), 1), 7.0)), 1) for x_TF in _sequences(40, 9, 300)]
    every_TF = torch.cat([Scaling.of(sequences)(x_TF) for x_TF in sequences])
    torch.testing.assert_close(every_TF.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(every_TF.std(0, correction=0), torch.tensor([1.0] * 5 + [0.0]))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 40), st.integers(0, 3), st.integers(1, 9), st.integers(0, 3), st.integers(1, 9), st.integers(0, 99)
)
def test_masks_hide_no_more_than_they_may(
    steps: int, times: int, time_width: int, features: int, feature_width: int, seed: int
) -> None:
    x_TF = _sequences(steps)[0]
    before_TF = x_TF.clone()
    generator = torch.Generator().manual_seed(seed)
    hidden_TF = Masks(0.0, times, time_width, features, feature_width)(x_TF, generator) == 0
    assert torch.equal(x_TF, before_TF)
    whole_T, whole_F = hidden_TF.all(1), hidden_TF.all(0)
    assert torch.equal(hidden_TF, whole_T[:, None] | whole_F)
    if not whole_F.all():
        assert int(whole_T.sum()) <= times * min(time_width, steps // 5)
    if not whole_T.all():
        assert int(whole_F.sum()) <= features * min(feature_width, 5)


def test_masks_reach_every_place_and_noise_has_its_deviation() -> None:
    x_TF, generator = torch.ones(20, 6), torch.Generator().manual_seed(0)
    hidden = sum((Masks(0.0, 1, 4, 1, 2)(x_TF, generator) == 0).float() for _ in range(400))
    assert isinstance(hidden, torch.Tensor)
    assert float(hidden.min()) > 0
    noisy = Masks(0.5, 0, 1, 0, 1)(torch.zeros(2000, 5), generator)
    torch.testing.assert_close(noisy.std(), torch.tensor(0.5), atol=0.02, rtol=0)


def test_stacked_frames_stand_side_by_side() -> None:
    x_TF = torch.arange(10.0).view(5, 2)
    assert stacked(x_TF, 2).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 8, 9]]
    assert torch.equal(stacked(x_TF, 1), x_TF)


def test_each_sequence_is_in_one_batch_with_its_values_and_its_padding() -> None:
    sequences = _sequences(7, 3, 12, 1, 5)
    for seed in (None, 4):
        seen = []
        for frames_BTF, valid_BT, items_B in frame_batches(sequences, 2, seed, stack=2):
            for row, item in enumerate(items_B.tolist()):
                expected_TF = stacked(sequences[item], 2)
                assert torch.equal(frames_BTF[row][valid_BT[row]], expected_TF)
                assert bool((frames_BTF[row][~valid_BT[row]] == 0).all())
                seen.append(item)
        assert sorted(seen) == [0, 1, 2, 3, 4]


def test_masks_follow_from_the_seed_of_the_pass() -> None:
    sequences, masks = _sequences(20, 20, 20), Masks(0.1, 1, 4, 1, 2)

    def first(seed: int) -> torch.Tensor:
        return next(frame_batches(sequences, 3, seed, masks=masks))[0]

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))
