"""`fashion_mnist_mini`: the images that come with the course.

10,000 training and 2,000 test images of Fashion-MNIST, the first 1,000 and 200 of each class
in the order of the official training and test files. `tools/make_embedded_data.py` makes the
file from the official ones, byte for byte.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

from course_utils.data.errors import DataCorrupt
from course_utils.data.raw import Part, RawSet

__all__ = ["CLASSES", "FILE", "read_fashion_mini", "status"]

FILE = Path(__file__).parent / "embedded" / "fashion_mnist_mini.npz"
SHA256 = "ba7b44689cd067dbdd42af467808685bf37cceb0b520517c40c911dd297d7ab2"
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SOURCE = (
    "Fashion-MNIST by Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando Research, 2017), "
    "arXiv:1708.07747"
)
LICENCE = "MIT, Copyright (c) 2017 Zalando SE"


def status() -> str:
    """Say in a sentence whether the file of images is here."""
    if not FILE.is_file():
        return f"incomplete: {FILE} is missing, so install the course again"
    return f"built in: {FILE.stat().st_size / 1e6:.0f} MB"


def read_fashion_mini() -> RawSet:
    """Read the shipped images.

    Raises:
        DataCorrupt: The file is missing, or differs from the one that was shipped.
    """
    if not FILE.is_file():
        raise DataCorrupt(f"{FILE} is missing: install the course again")
    content = FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataCorrupt(
            f"{FILE} is damaged (its SHA-256 is not that of the shipped file): "
            "install the course again, or restore the file with `git checkout`"
        )
    arrays = _unpacked(FILE)
    train, test = (
        Part(
            arrays[f"{part}_images"].clone()[:, None],  # (N, 1, 28, 28)
            arrays[f"{part}_labels"].long(),
        )
        for part in ("train", "test")
    )
    return RawSet(train, test, CLASSES, SOURCE, LICENCE)


@cache  # unpacking takes a second, and a lesson loads the images up to ten times
def _unpacked(file: Path) -> dict[str, torch.Tensor]:
    """Return the arrays of a file that is known to be the shipped one."""
    with np.load(file) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
