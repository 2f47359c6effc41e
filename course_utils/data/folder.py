"""`imagefolder:PATH`: your own images, one folder per class.

    PATH/train/cat/*.jpg  PATH/train/dog/*.jpg  PATH/test/cat/*.jpg  PATH/test/dog/*.jpg

and, if you like, the same under PATH/val. Without `train` and `test`, the class folders are in PATH
itself, and a share of each class becomes the test set, always the same. Hidden and system files
and folders are ignored everywhere.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course_utils.arguments import share, whole
from course_utils.data.decoded import decode
from course_utils.data.raw import MAX_BYTES, Part, RawSet
from course_utils.data.tree import ImageTree, find_images, listing, name_in

__all__ = ["FolderConfig", "read_folder"]

_CALLER = 5  # how far up from the warning the call of `load` is


@dataclass(frozen=True)
class FolderConfig:
    """The options of `imagefolder:PATH`.

    Attributes:
        image_size: Side of the images in pixels: the shorter side is resized to it, then the
            centre is cropped. 32 suits every model for small images.
        test_fraction: Share of each class that becomes the test set if there is no `test` folder,
            in (0, 1).

    Raises:
        ValueError: A value is out of its range.
    """

    image_size: int = 32
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", whole("image_size", self.image_size, most=2**16))
        object.__setattr__(self, "test_fraction", share("test_fraction", self.test_fraction))
        if not self.test_fraction:
            raise ValueError(
                f"test_fraction is {self.test_fraction}: the test set needs a share, e.g. 0.2"
            )


def read_folder(config: FolderConfig, folder: Path, root: Path) -> RawSet:
    """Read a folder of images.

    Args:
        config: The options.
        folder: The PATH.
        root: The data folder, where decoded images are kept for next time.

    Raises:
        DataUnavailable: There is no such folder.
        ValueError: It does not hold what it should; the message says what is missing.
    """
    tree = find_images(folder, config.test_fraction)
    _check_size(folder, tree, config.image_size)
    parts, skipped = {}, dict(tree.skipped)
    for name, files in tree.parts.items():
        images, kept, reasons = decode(files.paths, config.image_size, root)
        parts[name] = Part(images, files.labels[kept])
        skipped |= {name_in(folder, files.paths[i]): why for i, why in reasons.items()}
    _check_classes(folder, tree, parts, skipped)
    if skipped:
        warnings.warn(
            f"{len(skipped)} of the files in {folder} are left out (see info.skipped): "
            f"{listing(skipped)}",
            stacklevel=_CALLER,
        )
    return RawSet(
        train=parts["train"],
        test=parts["test"],
        val=parts.get("val"),
        classes=tree.classes,
        source=f"the images in {folder}",
        licence="as the owner of the folder says",
        skipped=skipped,
    )


def _check_size(folder: Path, tree: ImageTree, size: int) -> None:
    """Refuse more images than fit into memory at once, and say what would fit."""
    num, room = sum(len(files.paths) for files in tree.parts.values()), MAX_BYTES // 3
    if num * size**2 > room:
        raise ValueError(
            f"{num:,} images of {size}x{size} pixels take {3 * num * size**2 / 2**30:,.1f} GiB of "
            f"memory, but {MAX_BYTES / 2**30:.2g} is the limit: give "
            f"image_size={math.isqrt(room // num)} or less, or leave at most {room // size**2:,} "
            f"images in {folder}"
        )


def _check_classes(
    folder: Path, tree: ImageTree, parts: Mapping[str, Part], skipped: Mapping[str, str]
) -> None:
    """Refuse a class with a single image, and a set without a readable image of some class."""
    for label, name in enumerate(tree.classes):
        for part, mine in parts.items():
            if (mine.labels == label).any():
                continue
            if not (tree.parts[part].labels == label).any():
                raise ValueError(
                    f"class {name!r} of {folder} has a single image: it needs at least two, "
                    "one to train on and one to test on"
                )
            error = ValueError(
                f"the {part} set of {folder} has no readable image of class {name!r}: add "
                "some, or remove the class"
            )
            error.add_note(f"left out: {listing(skipped)}")
            raise error
