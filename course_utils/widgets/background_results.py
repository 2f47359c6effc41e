"""What the background dial shows: recorded results, and how much of a map lies on a figure."""

import base64
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from course_utils.inspection import share_on_mask

__all__ = ["BACKGROUNDS", "RECORD", "figure_share", "made_with", "recorded"]

RECORD = Path(__file__).with_name("background_results.npz")
"""Results of `tools/record_backgrounds.py`, so that the dial need not train."""

BACKGROUNDS = ("true", "swapped")
"""The order wherever a dimension of size two stands for the background."""


def figure_share(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each map's absolute values that lies on the figure.

    Args:
        maps: (N, G, G), float; G divides the size S of the images.
        masks: (N, S, S), bool; where the figure is.

    Returns:
        (N,), in [0, 1]; 0 for a map that is zero everywhere.
    """
    pixels = nn.functional.interpolate(maps.abs()[:, None], masks.shape[1:])[:, 0]  # (N, S, S)
    return share_on_mask(pixels, masks).nan_to_num(0.0)


@cache
def _read_record(path: Path) -> tuple[tuple[str, ...], str]:
    with np.load(path) as record:
        pictures = tuple(base64.b64encode(row.tobytes()).decode() for row in record["pictures"])
        return pictures, record["text"].tobytes().decode()


def recorded(path: Path = RECORD) -> dict[str, Any]:
    """Return recorded results as the plain data that the dial takes.

    Args:
        path: A file that `tools/record_backgrounds.py` wrote.

    Returns:
        `pictures`: 32x32x3 bytes each, as base64; `tests` and `results`: what is shown, with
        indices of images instead of the images.

    Raises:
        ValueError: It is not such a file.
    """
    try:
        pictures, text = _read_record(path)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a record of backgrounds: make it with tools/record_backgrounds.py"
        ) from error
    rest = json.loads(text)
    return {"pictures": list(pictures), "tests": rest["tests"], "results": rest["results"]}


def made_with(path: Path = RECORD) -> dict[str, Any]:
    """Return how recorded results were made: data, models, training, seeds."""
    return dict(json.loads(_read_record(path)[1])["made_with"])
