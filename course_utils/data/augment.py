"""Augmentation of a whole batch at once: each picture gets its own crop, flip and hole.

Nothing here loops over pictures. All random numbers of a batch are drawn first, on the CPU,
from one generator (`draw`), and only then applied (`crop_and_flip`, `fill_holes`): the same
generator gives the same pictures on every device, and each of several processes can draw for
the whole batch and keep its own share.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True)
class Augment:
    """What to do to a training picture, each picture by its own dice.

    Attributes:
        crop_padding: pixels added on each side before a crop of the old size is cut at random.
        padding: "zeros" (black) or "reflect" (the picture mirrored at its border).
        flip: mirror left and right, for every second picture.
        cutout: side of a square, in pixels, that is set to the mean colour. Its centre is
            anywhere, so at the border a part of the square falls outside. 0 for none.
        erase: probability that a rectangle of the picture is erased, in [0, 1].
        erase_area: smallest and largest share of the picture that is erased, in (0, 1].
        erase_aspect: smallest and largest ratio of its height to its width.
        erase_fill: "noise" (each pixel any colour) or "mean" (the mean colour).

    Raises:
        ValueError: a value out of its range.

    Source: crop and flip as He et al. 2016, section 4.2; cutout: DeVries and Taylor 2017;
        random erasing: Zhong et al. 2020, Algorithm 1.
    Differs: where Zhong et al. draw again until the rectangle fits, it is cut to the picture.
    """

    crop_padding: int = 0
    padding: str = "zeros"
    flip: bool = False
    cutout: int = 0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    erase_fill: str = "noise"

    def __post_init__(self) -> None:
        _check_choice("padding", self.padding, ("zeros", "reflect"))
        _check_choice("erase_fill", self.erase_fill, ("noise", "mean"))
        if self.crop_padding < 0 or self.cutout < 0:
            raise ValueError(
                f"crop_padding {self.crop_padding} and cutout {self.cutout} are numbers of pixels: "
                "give 0 for none"
            )
        if not 0 <= self.erase <= 1:
            raise ValueError(f"erase is a probability in [0, 1], not {self.erase}")
        if not 0 < self.erase_area[0] <= self.erase_area[1] <= 1:
            raise ValueError(f"erase_area is (smallest, largest) in (0, 1], not {self.erase_area}")
        if not 0 < self.erase_aspect[0] <= self.erase_aspect[1]:
            raise ValueError(
                f"erase_aspect is (smallest, largest) above 0, not {self.erase_aspect}"
            )


class Boxes(NamedTuple):
    """One rectangle a picture: first row and column inside, first row below, first column right."""

    top: Tensor  # (B,)
    left: Tensor  # (B,)
    bottom: Tensor  # (B,)
    right: Tensor  # (B,)


class Draws(NamedTuple):
    """The random numbers of one batch; None for what is switched off."""

    offset: Tensor | None = None  # (B, 2) row and column of the crop in the padded picture
    flip: Tensor | None = None  # (B,) bool
    cutout: Boxes | None = None
    erase: Boxes | None = None
    noise: Tensor | None = None  # (B, C, H, W) uint8

    def take(self, rows: Tensor | slice, device: torch.device | str) -> "Draws":
        """The draws of some pictures of the batch, on a device."""

        def move(value: Any) -> Any:
            if isinstance(value, Boxes):
                return Boxes(*map(move, value))
            return None if value is None else value[rows].to(device)

        return Draws(*map(move, self))

    def to(self, device: torch.device | str) -> "Draws":
        """The same draws on a device."""
        return self.take(slice(None), device)


def join(parts: list[Draws]) -> Draws:
    """Put the draws of several batches behind one another.

    Args:
        parts: at least one; all of the same augmentation.
    """

    def cat(values: tuple[Any, ...]) -> Any:
        if isinstance(values[0], Boxes):
            return Boxes(*map(cat, zip(*values, strict=True)))
        return None if values[0] is None else torch.cat(values)

    return parts[0] if len(parts) == 1 else Draws(*map(cat, zip(*parts, strict=True)))


def draw(
    augment: Augment, num_images: int, image_shape: tuple[int, int, int], generator: Generator
) -> Draws:
    """Draw the random numbers for one batch.

    Args:
        augment: what to do.
        num_images: pictures in the batch.
        image_shape: (C, H, W).
        generator: a generator on the CPU.
    """
    _, height, width = image_shape
    offset = flip = cutout = erase = noise = None
    if augment.crop_padding:
        offset = torch.randint(2 * augment.crop_padding + 1, (num_images, 2), generator=generator)
    if augment.flip:
        flip = torch.rand(num_images, generator=generator) < 0.5
    if augment.cutout:
        cutout = _cutout_boxes(augment.cutout, num_images, height, width, generator)
    if augment.erase:
        erase = _erase_boxes(augment, num_images, height, width, generator)
        if augment.erase_fill == "noise":
            noise = random_bytes((num_images, *image_shape), generator)
    return Draws(offset, flip, cutout, erase, noise)


def random_bytes(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Uniform bytes, eight from each draw: one draw a byte would cost more than a small net.

    Returns:
        (*shape), uint8.
    """
    num_bytes = math.prod(shape)
    words = torch.empty((num_bytes + 7) // 8, dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.uint8)[:num_bytes].view(shape)


def _cutout_boxes(side: int, num: int, height: int, width: int, generator: Generator) -> Boxes:
    top = torch.randint(height, (num,), generator=generator) - side // 2
    left = torch.randint(width, (num,), generator=generator) - side // 2
    return Boxes(top, left, top + side, left + side)


def _erase_boxes(
    augment: Augment, num: int, height: int, width: int, generator: Generator
) -> Boxes:
    chance, area, aspect, top, left = torch.rand(5, num, generator=generator)
    smallest, largest = augment.erase_area
    area = height * width * (smallest + (largest - smallest) * area)
    # Uniform in the logarithm: twice as high is as likely as twice as wide.
    low, high = torch.tensor(augment.erase_aspect).log()
    aspect = torch.exp(low + (high - low) * aspect)
    box_height = (area * aspect).sqrt().round().clamp(1, height).long()
    box_width = (area / aspect).sqrt().round().clamp(1, width).long()
    top = (top * (height - box_height + 1)).long()
    left = (left * (width - box_width + 1)).long()
    erased = chance < augment.erase
    return Boxes(top, left, top + box_height * erased, left + box_width * erased)


def crop_and_flip(images: Tensor, augment: Augment, draws: Draws) -> Tensor:
    """Shift and mirror each picture by its own draws.

    Args:
        images: (B, C, H, W), uint8.
        augment: what to do.
        draws: one row a picture, on the device of the images.

    Returns:
        (B, C, H, W), uint8.
    """
    if draws.offset is None and draws.flip is None:
        return images
    num, _, height, width = images.shape
    padded = pad(images, augment.crop_padding, augment.padding)
    sample = torch.arange(num, device=images.device)
    if draws.flip is not None:
        # Both versions of all pictures, then the choice: cheaper than moving pictures singly.
        padded = torch.cat([padded, padded.flip(3)])  # (2B, C, H+2p, W+2p)
        sample = sample + num * draws.flip
    if draws.offset is None:
        return padded.index_select(0, sample)
    top, left = draws.offset.unbind(dim=1)
    cut = cut_windows_by_row if images.device.type == "cpu" else cut_windows
    return cut(padded, sample, top, left, (height, width))


def pad(images: Tensor, amount: int, mode: str) -> Tensor:
    """Pad height and width on both sides.

    Args:
        images: (B, C, H, W).
        amount: pixels on each side; less than H and W when reflecting.
        mode: "zeros" or "reflect".
    """
    if not amount:
        return images
    if mode == "reflect" and amount >= min(images.shape[2:]):
        raise ValueError(
            f"crop_padding {amount} cannot be reflected in a picture of "
            f"{images.shape[2]}x{images.shape[3]}: give less, or padding='zeros'"
        )
    return F.pad(images, (amount,) * 4, mode="constant" if mode == "zeros" else "reflect")


def cut_windows(
    images: Tensor, sample: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]
) -> Tensor:
    """Cut one window each out of chosen pictures.

    Args:
        images: (M, C, H, W).
        sample: (B,), which picture.
        top: (B,), first row of the window.
        left: (B,), first column of the window.
        size: (h, w) of every window.

    Returns:
        (B, C, h, w).
    """
    rows = top[:, None] + torch.arange(size[0], device=images.device)  # (B, h)
    columns = left[:, None] + torch.arange(size[1], device=images.device)  # (B, w)
    channels = torch.arange(images.shape[1], device=images.device)
    return images[
        sample[:, None, None, None],
        channels[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def cut_windows_by_row(
    images: Tensor, sample: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]
) -> Tensor:
    """`cut_windows` for the CPU: the same result, about twenty times faster.

    A row of a window is one run of neighbouring bytes. Seen as a table of all runs of that
    length (row i starts at byte i, the rows overlap), the memory of the pictures needs one
    `index_select`, which copies whole rows, instead of an index for every pixel.
    """
    _, channels, rows, columns = images.shape
    height, width = size
    memory = images.contiguous().view(-1)
    runs = memory.as_strided((memory.numel() - width + 1, width), (1, 1))
    plane = sample[:, None] * channels + torch.arange(channels)  # (B, C)
    corner = plane * (rows * columns) + (top * columns + left)[:, None]
    starts = corner[:, :, None] + torch.arange(height) * columns  # (B, C, h)
    return runs.index_select(0, starts.view(-1)).view(len(sample), channels, height, width)


def fill_holes(images: Tensor, draws: Draws, noise: Tensor | None) -> Tensor:
    """Fill the rectangles of cutout and random erasing.

    Args:
        images: (B, C, H, W), float, normalised: 0 is the mean colour.
        draws: one row a picture, on the device of the images.
        noise: (B, C, H, W), normalised like the images, to fill erased rectangles with;
            None fills them with the mean colour.

    Returns:
        (B, C, H, W).
    """
    size = (images.shape[2], images.shape[3])
    if draws.cutout is not None:
        images = images * ~inside(draws.cutout, size)
    if draws.erase is not None:
        hole = inside(draws.erase, size)
        images = images * ~hole if noise is None else torch.where(hole, noise, images)
    return images


def inside(boxes: Boxes, size: tuple[int, int]) -> Tensor:
    """Mark the pixels inside the rectangles.

    Args:
        boxes: B rectangles; they may reach over the border.
        size: (H, W).

    Returns:
        (B, 1, H, W), bool.
    """
    row = torch.arange(size[0], device=boxes.top.device)
    column = torch.arange(size[1], device=boxes.top.device)
    rows = (row >= boxes.top[:, None]) & (row < boxes.bottom[:, None])  # (B, H)
    columns = (column >= boxes.left[:, None]) & (column < boxes.right[:, None])  # (B, W)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
