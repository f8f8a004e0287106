"""Recordings: the samples of a sound file. N samples, C channels."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqlab.data.files import exists
from seqlab.errors import DataError

WAV = ".wav"
ENDINGS = (WAV, ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".au")
_LOWEST_RATE, _HIGHEST_RATE = 1000, 768_000  # samples a second
_CONVERT = "convert it to 16-bit PCM, for example: ffmpeg -i IN -ac 1 -c:a pcm_s16le OUT.wav"


@dataclass(frozen=True)
class Recording:
    """sample_N: the mean of its channels, between -1 and 1. rate: samples a second."""

    sample_N: npt.NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.sample_N) / self.rate


def read_recording(path: Path, key: str, most_seconds: float, content: bytes | None = None) -> Recording:
    """A WAV file of 8-, 16-, 24- or 32-bit PCM; other formats by the package soundfile.

    key: the setting or argument that named it, for messages. content: of the file, if it is in an archive. Raises
    DataError for a file that is missing, no sound file, damaged, empty, or longer than most_seconds: its length is
    checked before its samples are read.
    """
    what = f"{key}: {path}"
    if content is None and not exists(path):
        raise DataError(f"{what}: there is no such file", "give the path of a recording")
    if content is None and not path.is_file():
        raise DataError(f"{what} is not a regular file", "give the path of one recording")
    try:
        if path.suffix.lower() != WAV:
            return _read_other(path, content, what, most_seconds)
        with wave.open(_opened(path, content), "rb") as file:
            return _read_wav(file, what, most_seconds)
    except wave.Error as error:
        if "unknown format" in str(error):  # floating point, or compressed
            return _read_other(path, content, what, most_seconds)
        raise DataError(f"{what} is no WAV file that can be read: {error}", _CONVERT) from error
    except (EOFError, RuntimeError) as error:  # what the module wave raises for sizes that do not fit the file
        raise DataError(f"{what} is no WAV file that can be read: it ends within its header", _CONVERT) from error
    except OSError as error:
        raise DataError(f"{what} cannot be read: {error.strerror or error}") from error


def _opened(path: Path, content: bytes | None) -> Any:
    return str(path) if content is None else io.BytesIO(content)


def _read_wav(file: wave.Wave_read, what: str, most_seconds: float) -> Recording:
    samples, channels, width, rate = (
        file.getnframes(), file.getnchannels(), file.getsampwidth(), file.getframerate(),
    )  # fmt: skip
    _check_rate(rate, what)
    if width not in (1, 2, 3, 4):
        raise DataError(f"{what} has samples of {8 * width} bits", _CONVERT)
    # a header may promise anything: no more than the longest is read
    most = int(most_seconds * rate) + 1
    raw = file.readframes(min(samples, most))
    there = len(raw) // (width * channels)
    if there < min(samples, most):
        raise DataError(
            f"{what} is damaged: its header promises {samples:,} samples, and it has {there:,}",
            "copy it again, or let a program that reads it nevertheless write it anew: ffmpeg -i IN OUT.wav",
        )
    _check_length(samples, rate, what, most_seconds)
    return Recording(_mean_of_channels(_decoded(raw, width).reshape(there, channels)), rate)


def _decoded(raw: bytes, width: int) -> npt.NDArray[np.float32]:
    """PCM samples of this many bytes, between -1 and 1: unsigned if they have one byte, else signed, little-endian."""
    if width == 1:
        return np.asarray((np.frombuffer(raw, np.uint8) - 128.0) / 128, dtype=np.float32)
    if width == 3:
        bytes_N4 = np.zeros((len(raw) // 3, 4), np.uint8)
        bytes_N4[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)  # the high bytes of a 32-bit number
        raw, width = bytes_N4.tobytes(), 4
    value_N = np.frombuffer(raw, f"<i{width}").astype(np.float64)
    return np.asarray(value_N / 2.0 ** (8 * width - 1), dtype=np.float32)


def _read_other(path: Path, content: bytes | None, what: str, most_seconds: float) -> Recording:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the library that it wraps is missing
        raise DataError(
            f"{what} is no PCM WAV file, and soundfile, which reads other formats, is not installed",
            f"pip install 'seqlab[audio]', or {_CONVERT}",
        ) from error
    try:
        with soundfile.SoundFile(_opened(path, content)) as file:
            _check_rate(file.samplerate, what)
            _check_length(file.frames, file.samplerate, what, most_seconds)
            sample_NC = file.read(int(most_seconds * file.samplerate) + 1, dtype="float32", always_2d=True)
            return Recording(_mean_of_channels(sample_NC), file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DataError(f"{what} is no sound file that can be read: {error}", _CONVERT) from error


def _mean_of_channels(sample_NC: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    mean_N = np.asarray(sample_NC.mean(1), dtype=np.float32)
    return np.nan_to_num(mean_N, nan=0.0, posinf=1.0, neginf=-1.0)  # floating-point files may hold anything


def _check_rate(rate: int, what: str) -> None:
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise DataError(f"{what} has {rate:,} samples a second", f"from {_LOWEST_RATE:,} to {_HIGHEST_RATE:,} are read")


def _check_length(samples: int, rate: int, what: str, most_seconds: float) -> None:
    if samples < 1:
        raise DataError(f"{what} has no samples", "remove it")
    if samples > most_seconds * rate:
        raise DataError(
            f"{what} is {samples / rate:,.1f} s long, and task.max_seconds={most_seconds:g}",
            f"cut it into utterances, or remove it, or set task.max_seconds={int(samples / rate) + 1}",
        )
