"""The log-mel spectrogram of a recording (Davis & Mermelstein 1980, before their cosine transform).

Shape letters: N samples, T frames, W samples of a frame, K frequencies, M mel bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from seqlab.data.audio import Recording
from seqlab.errors import ConfigError, DataError

SILENCE = 1e-10
"""The power, in a mel band, of the quietest sound: the logarithm of digital silence is that of this."""
_PADDED = 2
"""The length of a transform in frames: the samples, then zeros, so that low bands have frequencies of their own."""


@dataclass(frozen=True)
class LogMel:
    """bands: M. frame_ms: the length of a frame. hop_ms: from one frame to the next. highest_hz: where bands end."""

    bands: int
    frame_ms: float
    hop_ms: float
    highest_hz: float

    def __call__(self, recording: Recording) -> Tensor:
        """log_TM of the power in each mel band, by frame.

        Frames are weighted by Hann's window. The last samples that fill no frame are left out; a recording shorter than
        a frame is filled up with silence. Power is per hertz, so that recordings of other sample rates are alike.
        """
        sample_N, rate = torch.from_numpy(recording.sample_N), recording.rate
        size, hop = max(1, round(self.frame_ms / 1000 * rate)), max(1, round(self.hop_ms / 1000 * rate))
        if len(sample_N) < size:
            sample_N = torch.nn.functional.pad(sample_N, (0, size - len(sample_N)))
        window_W = torch.hann_window(size)
        spectrum_TK = torch.fft.rfft(sample_N.unfold(0, size, hop) * window_W, n=_PADDED * size)
        power_TK = spectrum_TK.real.square() + spectrum_TK.imag.square()
        density_TK = power_TK / (rate * window_W.square().sum().clamp(min=1.0))
        band_MK = mel_bands(self.bands, _PADDED * size, rate, self.highest_hz)
        log_TM: Tensor = (density_TK @ band_MK.T).clamp(min=SILENCE).log()
        return log_TM

    def peaks(self) -> list[float]:
        """The frequency at the middle of each band, in hertz."""
        return [hertz(mel(self.highest_hz) * band / (self.bands + 1)) for band in range(1, self.bands + 1)]

    def of(self, recording: Recording, what: str) -> Tensor:
        """The same. Raises DataError, which names the recording by `what`, if it lacks frequencies that are read."""
        if recording.rate < 2 * self.highest_hz:
            raise DataError(
                f"{what} has {recording.rate:,} samples a second, and the network reads frequencies up to "
                f"{self.highest_hz:,.0f} Hz",
                f"give a recording with at least {2 * self.highest_hz:,.0f} samples a second",
            )
        return self(recording)

    def check(self, rate: int) -> None:
        """Raise ConfigError if a band of recordings at this rate is so narrow that no frequency falls into it."""
        size = _PADDED * max(1, round(self.frame_ms / 1000 * rate))
        if bool((mel_bands(self.bands, size, rate, self.highest_hz).sum(1) == 0).any()):
            raise ConfigError(
                f"task.mel_bands={self.bands} is too many for frames of {self.frame_ms:g} ms at {rate:,} samples a "
                "second: the lowest bands have no frequency of their own",
                "try task.mel_bands=20, or a longer task.frame_ms",
            )


def mel(hz: float) -> float:
    """The mel scale of HTK (O'Shaughnessy 1987): 2595 log10(1 + f / 700)."""
    return 2595 * math.log10(1 + hz / 700)


def hertz(mels: float) -> float:
    """Its inverse."""
    return 700 * (10 ** (mels / 2595) - 1)


@cache
def mel_bands(bands: int, size: int, rate: int, highest_hz: float) -> Tensor:
    """weight_MK of each frequency of a transform of `size` samples in each band: triangles that overlap by half, whose
    peaks are evenly spaced on the mel scale between 0 and highest_hz. Frequencies at half the rate or above are not
    there: bands that lie beyond are empty."""
    edge = [hertz(mel(highest_hz) * index / (bands + 1)) for index in range(bands + 2)]
    low_M1, peak_M1, high_M1 = (torch.tensor(edge[at : at + bands], dtype=torch.float64)[:, None] for at in range(3))
    hz_K = torch.arange(size // 2 + 1, dtype=torch.float64) * rate / size
    rising_MK, falling_MK = (hz_K - low_M1) / (peak_M1 - low_M1), (high_M1 - hz_K) / (high_M1 - peak_M1)
    return torch.minimum(rising_MK, falling_MK).clamp(min=0.0).float()
