"""Image files of every kind as squares of bytes, or the reason why a file cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["read_photo", "try_photo"]

_WAY_OUT = "save it as a PNG or JPEG of 8 bits"
_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 262, 258, 339  # tags of a TIFF
_SIGNED = 2


def try_photo(path: Path, size: int) -> Tensor | str:
    """Return what `read_photo` returns, or in words why the file cannot be read and what to do."""
    try:
        return read_photo(path, size)
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        return _reason(error)


def read_photo(path: Path, size: int) -> Tensor:
    """Read one image file: upright, in RGB, resized and cut to a square.

    The shorter side is resized to `size` and the centre is cropped. Transparent pixels show white
    behind them. Values of more than 8 bits are scaled by their range in the file: 0 to 65535, or
    what its format says, and 0 to 1 for floats.

    Args:
        path: A file that Pillow can read.
        size: Side of the result in pixels.

    Returns:
        (3, size, size), uint8.

    Raises:
        OSError: The file is not an image, or only part of one.
        ValueError: The range of its values is not known.
    """
    from PIL import Image, ImageOps  # here, because importing the course must stay quick

    if not path.stat().st_size:
        raise OSError("it is empty")
    with Image.open(path) as file:
        # A JPEG decoder can halve a large photo while decoding; at least twice the size remains.
        file.draft("RGB", (2 * size, 2 * size))
        file.load()
        photo = _in_rgb(_upright(file), file)
    if photo.size != (size, size):
        photo = ImageOps.fit(photo, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1).contiguous()  # (3, size, size)


def _upright(file: Any) -> Any:
    """Return an image rotated as its camera says, or as it is if that cannot be understood."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(file)
    except Exception:  # damaged notes about an image do not damage the image
        return file


def _in_rgb(photo: Any, file: Any) -> Any:
    """Return an image of any mode (grey, palette, transparent, CMYK, deep) of a file as RGB."""
    from PIL import Image

    if _SIGNED in np.atleast_1d(_tag(file, _SAMPLE_FORMAT, 1)):
        raise ValueError("its values are signed whole numbers, but no image is darker than black")
    if photo.mode == "F" or photo.mode.startswith("I"):
        return Image.fromarray(_deep_to_bytes(photo, file)).convert("RGB")
    if not photo.has_transparency_data:
        return photo.convert("RGB")
    photo = photo.convert("RGBA")
    white = Image.new("RGBA", photo.size, "white")
    return Image.alpha_composite(white, photo).convert("RGB")


def _deep_to_bytes(photo: Any, file: Any) -> np.ndarray:
    """Scale grey values (H, W) of more than 8 bits to bytes, by the range of their format."""
    values = np.asarray(photo, dtype=np.float64)
    highest = _highest_value(file)
    if not ((values >= 0) & (values <= highest)).all():  # nor if one is not a number
        raise ValueError(
            f"its values go from {values.min():g} to {values.max():g}, but it does not say which "
            "of them are black and white"
        )
    if _tag(file, _PHOTOMETRIC, 1) == 0:
        values = highest - values  # a TIFF of 16 or 32 bits in which 0 is white
    if "transparency" in file.info:
        values = np.where(values == file.info["transparency"], highest, values)
    return np.rint(values * (255 / highest)).astype(np.uint8)


def _highest_value(file: Any) -> float:
    """Return the value of white in a file of grey values; below 0 if it is unknown."""
    if file.mode == "F":
        return 1.0
    if file.mode.startswith("I;16"):
        return 2.0 ** np.atleast_1d(_tag(file, _BITS, 16))[0] - 1
    # Pillow scales a deep PGM to this itself; other whole numbers of 32 bits can mean anything.
    return 65535.0 if file.format in ("PPM", "PNG") else -1.0


def _tag(file: Any, number: int, default: int) -> Any:
    return file.tag_v2.get(number, default) if file.format == "TIFF" else default


def _reason(error: Exception) -> str:
    """Say in words why a file could not be read, and what to do."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too large: make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image, or in a format that Pillow does not know: {_WAY_OUT}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.strerror}: make sure that it is there and that you may read it"
    if isinstance(error, OSError | SyntaxError | EOFError):
        return (
            f"cut off or damaged ({error}): get it again, or set "
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True to use what there is of it"
        )
    return f"{error or type(error).__name__}: {_WAY_OUT}"
