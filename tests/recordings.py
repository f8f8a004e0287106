"""WAV files for tests."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000


def tone(hertz: float, seconds: float = 0.2, *, rate: int = RATE, seed: int = 0) -> npt.NDArray[np.float64]:
    """A tone in a little noise, between -1 and 1."""
    noise_N = np.random.default_rng(seed).normal(0, 0.01, round(seconds * rate))
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(len(noise_N)) / rate) + noise_N)


def write_wav(path: Path, sample_NC: npt.NDArray[np.float64], *, rate: int = RATE, width: int = 2) -> Path:
    """Samples between -1 and 1, (N,) or (N, C), as PCM of this many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.clip(np.round(sample_NC * 2 ** (8 * width - 1)), -(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1)
    numbers = whole.astype(np.int64) + 128 * (width == 1)
    raw = numbers.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sample_NC.ndim == 1 else sample_NC.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def labelled_folder(folder: Path, *, each: int = 12) -> Path:
    """A folder of tones: a sub-folder for `low` and one for `high`."""
    for label, hertz in (("low", 400.0), ("high", 1600.0)):
        for number in range(each):
            sound = tone(hertz * (1 + number / 50), 0.1 + 0.01 * number, seed=number)
            write_wav(folder / label / f"{number}.wav", sound)
    return folder


def transcribed_folder(folder: Path, *, count: int = 20) -> Path:
    """A folder of recordings in which each letter is a pitch, and transcripts.csv."""
    lines = ["file,text"]
    for number in range(count):
        text = "".join(np.random.default_rng(number).choice(list("abc"), 4))
        sound = np.concatenate([tone(400.0 * 2 ** "abc".index(letter), 0.08, seed=number) for letter in text])
        write_wav(folder / f"{number}.wav", sound)
        lines.append(f"{number}.wav,{text}")
    (folder / "transcripts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
