"""The log-mel spectrogram against its formulas, written out with loops."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.audio import Recording
from seqlab.data.log_mel import SILENCE, LogMel, hertz, mel
from seqlab.errors import ConfigError
from tests.recordings import tone


def _by_hand(samples: list[float], rate: int, bands: int, frame: int, hop: int, highest: float) -> list[list[float]]:
    """Hann's window, a discrete Fourier transform of twice the frame, and triangles on the mel scale."""
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / frame) for n in range(frame)]
    size, edges = 2 * frame, [hertz(mel(highest) * m / (bands + 1)) for m in range(bands + 2)]
    rows = []
    for start in range(0, len(samples) - frame + 1, hop):
        power = []
        for k in range(size // 2 + 1):
            terms = (samples[start + n] * window[n] * cmath.exp(-2j * math.pi * k * n / size) for n in range(frame))
            power.append(abs(sum(terms)) ** 2 / (rate * sum(w * w for w in window)))
        row = []
        for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k, value in enumerate(power):
                f = k * rate / size
                if low <= f <= peak:
                    total += value * (f - low) / (peak - low)
                elif peak < f <= high:
                    total += value * (high - f) / (high - peak)
            row.append(math.log(max(SILENCE, total)))
        rows.append(row)
    return rows


@settings(max_examples=10, deadline=None)
@given(st.integers(40, 90), st.integers(0, 99), st.sampled_from([1000, 2000]))
def test_it_is_the_formula(count: int, seed: int, rate: int) -> None:
    sample_N = np.random.default_rng(seed).normal(0, 0.3, count).astype(np.float32)
    features = LogMel(bands=4, frame_ms=20_000 / rate, hop_ms=7000 / rate, highest_hz=rate / 2)
    expected = _by_hand(sample_N.tolist(), rate, 4, 20, 7, rate / 2)
    np.testing.assert_allclose(features(Recording(sample_N, rate)).numpy(), expected, rtol=2e-4, atol=2e-4)


def test_the_mel_scale() -> None:
    assert mel(1000.0) == pytest.approx(1000.0, abs=0.1)  # by its definition
    assert mel(0.0) == 0.0
    for value in (50.0, 440.0, 7999.0):
        assert hertz(mel(value)) == pytest.approx(value)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_around_its_pitch(hz: float) -> None:
    features = LogMel(bands=20, frame_ms=25, hop_ms=10, highest_hz=4000)
    log_TM = features(Recording(tone(hz).astype(np.float32), 8000))
    assert int(log_TM.mean(0).argmax()) == pytest.approx(mel(hz) / mel(4000) * 21 - 1, abs=1)


def test_other_sample_rates_give_the_same_picture() -> None:
    features = LogMel(bands=20, frame_ms=25, hop_ms=10, highest_hz=4000)
    at_8, at_16 = (features(Recording(tone(440, rate=rate).astype(np.float32), rate)) for rate in (8000, 16000))
    assert at_8.shape == at_16.shape
    loud = at_8 > at_8.max() - 7
    torch.testing.assert_close(at_16[loud], at_8[loud], atol=0.2, rtol=0)


@pytest.mark.parametrize("count", [1, 199, 200, 279, 280])
def test_silence_and_short_recordings_are_finite(count: int) -> None:
    features = LogMel(bands=20, frame_ms=25, hop_ms=10, highest_hz=4000)
    log_TM = features(Recording(np.zeros(count, np.float32), 8000))
    assert log_TM.shape == (2 if count >= 280 else 1, 20)
    assert bool((log_TM == math.log(SILENCE)).all())


def test_more_bands_than_frequencies_are_refused() -> None:
    LogMel(bands=40, frame_ms=25, hop_ms=10, highest_hz=4000).check(8000)
    with pytest.raises(ConfigError, match=r"task.mel_bands=200 is too many for frames of 25 ms"):
        LogMel(bands=200, frame_ms=25, hop_ms=10, highest_hz=4000).check(8000)
