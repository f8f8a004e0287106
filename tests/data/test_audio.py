"""Reading recordings: every width of PCM, channels, and files that are not what they seem."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.audio import read_recording
from seqlab.errors import DataError
from tests.recordings import RATE, tone, write_wav


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_those_that_were_written(width: int, channels: int, tmp_path: Path) -> None:
    sample_NC = np.random.default_rng(0).uniform(-1, 1, (300, channels))
    sample_NC[:2] = ((-1.0,), (0.0,))
    found = read_recording(write_wav(tmp_path / "a.wav", sample_NC, width=width), "here", 10)
    assert found.rate == RATE
    assert found.seconds == pytest.approx(300 / RATE)
    np.testing.assert_allclose(found.sample_N, sample_NC.mean(1), atol=1.01 * 2.0 ** (1 - 8 * width) + 1e-7)
    assert found.sample_N[:2].tolist() == [-1.0, 0.0]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Truncated anywhere, or with any bytes of its header changed."""
    path = write_wav(tmp_path_factory.mktemp("wav") / "a.wav", tone(440, 0.02))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, 47))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with suppress(DataError):
        found = read_recording(path, "here", 1)
        assert 0 < len(found.sample_N) <= len(raw)
        assert np.isfinite(found.sample_N).all()


def _with_size(path: Path, size: int) -> Path:
    """The file with another size of its samples in its header."""
    raw = path.read_bytes()
    path.write_bytes(raw[:40] + struct.pack("<I", size) + raw[44:])
    return path


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends within its header"),
        (b"RIFF", "ends within its header"),
        (b"ID3\x04 this is an mp3 after all, renamed by somebody", "no WAV file"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "no WAV file"),
    ],
)
def test_what_is_no_wav_file_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_recording(tmp_path / "a.wav", "here", 10)


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = _with_size(write_wav(tmp_path / "a.wav", tone(440)), 2**31)
    with pytest.raises(DataError, match=r"damaged: its header promises 1,073,741,824 samples|damaged"):
        read_recording(path, "here", 10**6)


def test_a_long_recording_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(440, 3.0))
    assert read_recording(path, "here", 3.0).seconds == 3.0
    with pytest.raises(DataError, match=r"3\.0 s long, and task.max_seconds=2\n.*task.max_seconds=4"):
        read_recording(path, "here", 2.0)


def test_a_recording_without_samples_and_a_path_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no samples"):
        read_recording(write_wav(tmp_path / "a.wav", np.zeros(0)), "here", 10)
    with pytest.raises(DataError, match="no such file"):
        read_recording(tmp_path / "none.wav", "here", 10)
    with pytest.raises(DataError, match="not a regular file"):
        read_recording(tmp_path, "here", 10)


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    assert len(read_recording(write_wav(tmp_path / "a.wav", np.array([0.5])), "here", 10).sample_N) == 1


@pytest.mark.parametrize("name", ["a.flac", "float.wav"])
def test_other_formats_name_the_extra(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wav(tmp_path / name, tone(440))
    raw = path.read_bytes()
    path.write_bytes(raw[:20] + struct.pack("<H", 3) + raw[22:])  # the format tag of floating point
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DataError, match=r"soundfile.*is not installed\n.*seqlab\[audio\]"):
        read_recording(path, "here", 10)
