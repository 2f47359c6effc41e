"""`shapes`: 32x32 colour images of ten figures, drawn in no time, with two dials.

Every image is one figure of a random colour, position, size and rotation in front of a textured
background and some clutter. Ten families of background (a texture and a range of colours) go
with the ten classes; the dial `background_correlation` says how strictly. At 0 the background
says nothing about the class; at 1 a model could ignore the figure.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Generator, Tensor

from course_utils.arguments import number, one_of, whole
from course_utils.data.drawing import OUTLINES, coverage
from course_utils.data.raw import MAX_BYTES, Part, RawSet
from course_utils.data.textures import TEXTURES

__all__ = [
    "CLASSES",
    "FAMILIES",
    "SIZE",
    "Backgrounds",
    "Shapes",
    "ShapesConfig",
    "draw_shapes",
    "make_shapes",
]

Backgrounds = Literal["same", "random", "swapped"]
SIZE = 32
CLASSES = tuple(OUTLINES)
FAMILIES = tuple(TEXTURES)
RADIUS = (6.0, 11.0)  # smallest and largest of a figure, in pixels
ROTATION = 25.0  # how far a figure may be rotated, to either side, in degrees
CLUTTER = 6  # small discs behind the figure
NOISE = 0.07  # standard deviation on each pixel and channel, pixels in [0, 1]
SOURCE = "drawn by the course from formulas"
LICENCE = "MIT, like the course itself"
# The hue of each family: red, ochre, olive, green, teal, cyan, blue, indigo, violet, pink.
_HUES = (0.0, 0.08, 0.16, 0.3, 0.43, 0.51, 0.6, 0.7, 0.79, 0.9)
MOST_SEED = 2**62  # the two sets draw from 2 * seed and 2 * seed + 1
_CHUNK = 1000  # images drawn together: enough to be quick, few enough to fit a cache


@dataclass(frozen=True)
class ShapesConfig:
    """The options of `shapes`.

    Attributes:
        num_train: Training images.
        num_test: Test images.
        seed: Seed of the images; the same seed gives the same images.
        position: How far a figure may be from the centre, across and down, in pixels. It stays
            inside the image.
        background_correlation: Probability that an image has the background family of its
            class; otherwise the family is drawn from all ten.

    Raises:
        ValueError: A value is out of its range.
    """

    num_train: int = 10_000
    num_test: int = 2_000
    seed: int = 0
    position: float = 5.0
    background_correlation: float = 0.0

    def __post_init__(self) -> None:
        sizes = 2 * len(CLASSES), MAX_BYTES // (2 * 3 * SIZE**2)
        for name, *span in (("num_train", *sizes), ("num_test", *sizes), ("seed", 0, MOST_SEED)):
            object.__setattr__(self, name, whole(name, getattr(self, name), *span))
        for name, most in (("position", SIZE), ("background_correlation", 1)):
            object.__setattr__(self, name, number(name, getattr(self, name), 0, most))


class Shapes(NamedTuple):
    """Images, and what was drawn in them."""

    images: Tensor  # (N, 3, 32, 32) uint8
    labels: Tensor  # (N,) int64: the figure, an index into CLASSES
    backgrounds: Tensor  # (N,) int64: the family of the background, an index into FAMILIES
    masks: Tensor  # (N, 32, 32) bool: where the figure is


class _Scene(NamedTuple):
    """Everything that is random about each image except the noise; lengths in pixels."""

    label: Tensor  # (N,)
    family: Tensor  # (N,)
    centre: Tensor  # (N, 2) of the figure, from the centre of the image
    radius: Tensor  # (N,)
    angle: Tensor  # (N,) radians
    colours: Tensor  # (N, 4, 3): both of the background, of the figure, of its outline
    origin: Tensor  # (N, 2) of the texture
    stretch: Tensor  # (N,) of the texture
    slant: Tensor  # (N,) of the texture, radians
    clutter_at: Tensor  # (N, K, 2)
    clutter_radius: Tensor  # (N, K)
    clutter_colours: Tensor  # (N, K, 3)


def draw_shapes(config: ShapesConfig) -> RawSet:
    """Draw a training and a test set."""
    train, test = (
        make_shapes(num, config, torch.Generator().manual_seed(2 * config.seed + part))
        for part, num in enumerate((config.num_train, config.num_test))
    )
    parts = Part(train.images, train.labels), Part(test.images, test.labels)
    return RawSet(*parts, CLASSES, SOURCE, LICENCE)


def make_shapes(
    num: int, config: ShapesConfig, generator: Generator, backgrounds: Backgrounds = "same"
) -> Shapes:
    """Draw images, the classes equally often.

    The same generator state gives the same images. With other backgrounds, everything else stays
    the same: the figures, their colours, the clutter and the noise.

    Args:
        num: Number of images.
        config: The dials; `num_train`, `num_test` and `seed` do not matter.
        generator: A generator on the CPU.
        backgrounds: "same", as `config` says; "random", from all ten families whatever the class;
            or "swapped", always that of another class.
    """
    one_of("backgrounds", backgrounds, get_args(Backgrounds))
    scene = _draw_scene(num, config, generator, backgrounds)
    images, masks = [], []
    for start in range(0, num, _CHUNK):
        chunk = _Scene(*(values[start : start + _CHUNK] for values in scene))
        noise = torch.randn(len(chunk.label), 3, SIZE, SIZE, generator=generator)
        picture, mask = _render(chunk)
        bytes_in_floats = (picture + NOISE * noise).clamp(0, 1) * 255
        images.append(bytes_in_floats.round().byte())
        masks.append(mask)
    return Shapes(torch.cat(images), scene.label, scene.family, torch.cat(masks))


def _draw_scene(
    num: int, config: ShapesConfig, generator: Generator, backgrounds: Backgrounds
) -> _Scene:
    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(num, *shape, generator=generator)

    label = (torch.arange(num) % len(CLASSES))[torch.randperm(num, generator=generator)]
    family = _draw_family(label, config.background_correlation, backgrounds, generator)
    radius = uniform(*RADIUS)
    room = (SIZE / 2 - radius).clamp(max=config.position)[:, None]
    turn = math.radians(ROTATION)
    return _Scene(
        label=label,
        family=family,
        centre=room * uniform(-1, 1, 2),
        radius=radius,
        angle=uniform(-turn, turn),
        colours=_draw_colours(family, torch.rand(num, 9, generator=generator)),
        origin=uniform(-SIZE / 2, SIZE / 2, 2),
        stretch=uniform(0.85, 1.2),
        slant=uniform(-0.15, 0.15),
        clutter_at=uniform(-SIZE / 2, SIZE / 2, CLUTTER, 2),
        clutter_radius=uniform(1.0, 2.6, CLUTTER),
        clutter_colours=_rgb(
            uniform(0, 1, CLUTTER),
            uniform(0.3, 0.9, CLUTTER),
            uniform(0.2, 1, CLUTTER),
        ),
    )


def _draw_family(
    label: Tensor, correlation: float, backgrounds: Backgrounds, generator: Generator
) -> Tensor:
    """Draw the background family of each image; the same numbers are drawn in each case."""
    chance = torch.rand(len(label), generator=generator)
    other = torch.randint(len(FAMILIES), (len(label),), generator=generator)
    step = torch.randint(1, len(FAMILIES), (len(label),), generator=generator)
    if backgrounds == "random":
        return other
    if backgrounds == "swapped":
        return (label + step) % len(FAMILIES)
    return torch.where(chance < correlation, label, other)


def _draw_colours(family: Tensor, dice: Tensor) -> Tensor:
    """Return the colours (N, 4, 3) of background, figure and outline, RGB in [0, 1].

    The families are (N,), the dice (N, 9), uniform in [0, 1). The background is muted and has its
    family's hue, in two shades. The figure has any hue, strong and light with a dark outline, or
    dark with a light outline.
    """
    hue = torch.tensor(_HUES)[family] + 0.05 * dice[:, 0]
    value = 0.4 + 0.2 * dice[:, 1]
    saturation = 0.35 + 0.25 * dice[:, 2]
    shade = 0.15 + 0.15 * dice[:, 3]
    light = dice[:, 4] < 0.5
    figure_value = torch.where(light, 0.85 + 0.15 * dice[:, 5], 0.12 + 0.2 * dice[:, 5])
    rim_value = torch.where(light, torch.tensor(0.08), torch.tensor(0.97))
    return torch.stack(
        [
            _rgb(hue, saturation, value),
            _rgb(hue + 0.06 * dice[:, 6], 0.8 * saturation, value + shade),
            _rgb(dice[:, 7], 0.5 + 0.5 * dice[:, 8], figure_value),
            _rgb(dice[:, 7], torch.full_like(hue, 0.15), rim_value),
        ],
        dim=1,
    )


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Turn hue, saturation and value, each (...), into RGB (..., 3), all in [0, 1]."""
    sector = (hue[..., None] * 6 + torch.tensor([5.0, 3.0, 1.0])) % 6
    loss = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * loss)


def _render(scene: _Scene) -> tuple[Tensor, Tensor]:
    """Draw scenes without noise (N, 3, 32, 32), about [0, 1], and masks (N, 32, 32) of figures."""
    picture = _render_background(scene)
    for k in range(scene.clutter_radius.shape[1]):
        x, y = _plane(scene.clutter_at[:, k])
        cover = coverage(torch.hypot(x, y) - scene.clutter_radius[:, k, None, None])
        picture = _paint(picture, cover, scene.clutter_colours[:, k])
    distance = _figure_distance(scene)
    picture = _paint(picture, coverage(distance), scene.colours[:, 3])
    picture = _paint(picture, coverage(distance + 1.2), scene.colours[:, 2])
    return picture, distance < 0


def _render_background(scene: _Scene) -> Tensor:
    """Draw the textures, (N, 3, 32, 32)."""
    x, y = _turn(*_plane(scene.origin), scene.slant)
    x, y = (along * scene.stretch[:, None, None] for along in (x, y))
    blend = torch.empty_like(x)
    for family, texture in enumerate(TEXTURES.values()):
        mine = scene.family == family
        blend[mine] = texture(x[mine], y[mine])
    first, second = scene.colours[:, 0, :, None, None], scene.colours[:, 1, :, None, None]
    return first + (second - first) * blend[:, None]


def _figure_distance(scene: _Scene) -> Tensor:
    """Return the signed distance from each pixel to the figure, in pixels, (N, 32, 32)."""
    x, y = _turn(*_plane(scene.centre), scene.angle)
    radius = scene.radius[:, None, None]
    distance = torch.empty_like(x)
    for label, outline in enumerate(OUTLINES.values()):
        mine = scene.label == label
        distance[mine] = outline(x[mine] / radius[mine], y[mine] / radius[mine]) * radius[mine]
    return distance


def _plane(origin: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates of the pixels' centres from each origin (N, 2), both (N, 32, 32)."""
    steps = torch.arange(SIZE) + 0.5 - SIZE / 2
    x = steps[None, None, :] - origin[:, 0, None, None]
    y = -steps[None, :, None] - origin[:, 1, None, None]  # up, while rows count down
    return x.expand(-1, SIZE, -1), y.expand(-1, -1, SIZE)


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates in a frame rotated by each angle (N,), in radians."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return x * cos + y * sin, y * cos - x * sin


def _paint(picture: Tensor, cover: Tensor, colour: Tensor) -> Tensor:
    """Paint each image with one colour (N, 3), as strongly as `cover` (N, H, W) says."""
    return torch.lerp(picture, colour[:, :, None, None].expand_as(picture), cover[:, None])
