"""Pictures of a user's own: every common kind is read as it looks, and what is no picture is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqlab.data.images import read_image
from seqlab.errors import DataError

GREY = (40, 200)  # left and right half


def _halves(side: int = 8) -> np.ndarray:
    return np.repeat(np.array([GREY], dtype=np.uint8), [side // 2, side // 2], axis=1).repeat(side, 0)


def _read(path: Path, side: int = 8, *, colour: bool = False) -> np.ndarray:
    return read_image(path, path.name, side, colour=colour)[0]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "I;16", "1"])
def test_every_mode_shows_the_same_picture(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        image = Image.fromarray(_halves().astype(np.uint16) * 257)
    else:
        image = Image.fromarray(_halves()).convert("RGB")
        image = image.quantize(2) if mode == "P" else image.convert(mode)
    image.save(path)
    with Image.open(path) as saved:
        assert saved.mode == mode
    wanted = np.where(_halves() < 128, 0, 255) if mode == "1" else _halves()
    if mode != "1":
        for colour in (False, True):
            image_CHW = _read(path, colour=colour)
            assert image_CHW.shape == (3 if colour else 1, 8, 8)
            assert np.abs(image_CHW.astype(int) - wanted).max() <= (6 if mode == "CMYK" else 0)
    else:
        assert set(np.unique(_read(path))) == {0, 255}


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    pixels_HWC = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels_HWC[:, :4, 3] = 255
    Image.fromarray(pixels_HWC).save(tmp_path / "a.png")
    image_CHW = _read(tmp_path / "a.png")
    assert (image_CHW[0, :, :4] == 0).all()
    assert (image_CHW[0, :, 4:] == 255).all()


def test_a_photograph_is_turned_as_its_camera_was(tmp_path: Path) -> None:
    image, exif = Image.fromarray(_halves()), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(_read(tmp_path / "a.png")[0], np.rot90(_halves(), -1))


def test_another_size_is_resized_in_proportion_with_margins_like_the_border(tmp_path: Path) -> None:
    pixels_HW = np.full((20, 60), 230, dtype=np.uint8)
    pixels_HW[8:12, 28:32] = 0
    Image.fromarray(pixels_HW).save(tmp_path / "a.png")
    image_CHW, size = read_image(tmp_path / "a.png", "a.png", 30, colour=False)
    assert size == (60, 20)
    dark_2N = np.nonzero(image_CHW[0] < 60)
    assert {(int(at.min()), int(at.max())) for at in dark_2N} == {(14, 15)}  # two of 30 pixels: a square is a square
    assert (image_CHW[0, [0, -1]] == 230).all()


def _png(width: int, height: int) -> bytes:
    """The head of a PNG that claims a size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 100) + b"IDAT"


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    Image.fromarray(_halves()).save(tmp_path / "b.gif")
    cases = {
        "cut.png": (whole.read_bytes()[:900], "cannot be read"),
        "text.png": (b"a seven above a two", "neither a PNG nor a JPEG"),
        "empty.png": (b"", "neither a PNG nor a JPEG"),
        "moved.png": ((tmp_path / "b.gif").read_bytes(), "neither a PNG nor a JPEG"),
        "huge.png": (_png(60_000, 60_000), "more than 50,000,000 pixels"),
        "large.png": (_png(9_000, 9_000), "more than 50,000,000 pixels"),
        "none.png": (_png(0, 5), "cannot be read|neither"),
        "nothing.png": (_png(5, 5), "cannot be read"),
    }
    for name, (raw, said) in cases.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(DataError, match=said):
            _read(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        _read(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="is not a file"):
        _read(tmp_path)
