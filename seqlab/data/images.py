"""A user's own pictures: PNG and JPEG files as square images of one size, with errors that say what is wrong."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqlab.data.files import exists
from seqlab.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG")
_MOST_BYTES, _MOST_PIXELS = 2**26, 50_000_000  # more is no picture to be shrunk to some dozens of pixels
_WHITE = (255, 255, 255, 255)
_log = logging.getLogger("seqlab")


def read_image(path: Path, name: str, side: int, *, colour: bool) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """(image_CHW of side x side pixels, with 1 or 3 channels, values of 0 to 255; the width and height in the file).

    An image of another size is resized with its proportions kept; if it is not square, its margins are filled with the
    commonest colour of its border. What is transparent becomes white. `name` names the file in messages. Raises
    DataError for a file that is missing, larger than 64 MiB or 50 million pixels, damaged, or neither PNG nor JPEG.
    """
    if not exists(path):
        raise DataError(f"{name}: there is no such file", "give the path of a PNG or JPEG picture")
    if not path.is_file():
        raise DataError(f"{name} is not a file", "give the path of a PNG or JPEG picture")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{name} is larger than {_MOST_BYTES // 2**20} MiB", "make it smaller first")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file with many pixels is refused below; others are warnings for authors
            with Image.open(path, formats=_FORMATS) as opened:
                size = opened.size
                if size[0] * size[1] > _MOST_PIXELS:
                    raise Image.DecompressionBombError
                image = _plain(ImageOps.exif_transpose(opened), colour=colour)
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is neither a PNG nor a JPEG picture", "save it as PNG") from error
    except Image.DecompressionBombError as error:
        remedy = f"make it smaller first: it is read as {side} x {side} pixels"
        raise DataError(f"{name} has more than {_MOST_PIXELS:,} pixels", remedy) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise errors of many types at damaged files
        why = " ".join(str(error).split())[:100]
        raise DataError(
            f"{name} cannot be read: {why or type(error).__name__}", "is it complete? Save it again"
        ) from error
    if image.size != (side, side):
        image = ImageOps.pad(image, (side, side), Image.Resampling.BILINEAR, color=_border(image))
    pixels_HWC = np.asarray(image, dtype=np.uint8).reshape(side, side, -1)
    return pixels_HWC.transpose(2, 0, 1).copy(), size


def _plain(image: Image, *, colour: bool) -> Image:
    """The image in shades of grey, or in colour, on white."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits; convert would cut off all above 255
        high = np.asarray(image, dtype=np.float64) / 257
        image = Image.fromarray(high.clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        front = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", front.size, _WHITE), front)
    return image.convert("RGB" if colour else "L")


def _border(image: Image) -> int | tuple[int, ...]:
    """The commonest colour of the outermost pixels."""
    pixels_HWC = np.asarray(image).reshape(image.height, image.width, -1)
    edges = (pixels_HWC[0], pixels_HWC[-1], pixels_HWC[:, 0], pixels_HWC[:, -1])
    colours, counts = np.unique(np.concatenate(edges), axis=0, return_counts=True)
    commonest = tuple(int(value) for value in colours[counts.argmax()])
    return commonest if len(commonest) > 1 else commonest[0]
