"""`shapes`: 32x32 colour pictures of ten figures, made at once, with dials.

Every picture is one figure of a random colour, place, size and slant in front of a textured
background and some clutter. Ten families of background (a texture and a range of colours) go
with the ten classes; the dial `background_correlation` says how strictly. At 0 the background
says nothing about the class; at 1 a model could ignore the figure.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from course_utils.data.drawing import OUTLINES, coverage
from course_utils.data.raw import Part, RawSet
from course_utils.data.textures import TEXTURES

SIZE = 32
CLASSES = tuple(OUTLINES)
FAMILIES = tuple(TEXTURES)
SOURCE = "drawn by the course from formulas"
LICENCE = "MIT, as the course itself"
# The hue of each family: red, ochre, olive, green, teal, cyan, blue, indigo, violet, pink.
_HUES = (0.0, 0.08, 0.16, 0.3, 0.43, 0.51, 0.6, 0.7, 0.79, 0.9)
_CHUNK = 1000  # pictures drawn together: enough to be quick, few enough to fit a cache


@dataclass(frozen=True)
class ShapesConfig:
    """The dials of `shapes`.

    Attributes:
        num_train: training pictures.
        num_test: test pictures.
        seed: which pictures; the same seed gives the same.
        position: how far a figure may be from the middle, across and down, in pixels. It is
            kept inside the picture.
        size: smallest and largest radius of a figure in pixels.
        rotation: how far a figure may be turned, to either side, in degrees.
        clutter: small discs behind the figure, in each picture.
        noise: standard deviation of the noise on each pixel and channel, pixels in [0, 1].
        background_correlation: probability that a picture has the background family of its
            class; otherwise the family is drawn from all ten.
        test_backgrounds: the test part's: "same" as the training part, "random" from all ten
            families whatever the class, or "swapped", always another class's. The figures in
            front are the same in all three.

    Raises:
        ValueError: a value out of its range.
    """

    num_train: int = 10_000
    num_test: int = 2_000
    seed: int = 0
    position: float = 5.0
    size: tuple[float, float] = (6.0, 11.0)
    rotation: float = 25.0
    clutter: int = 6
    noise: float = 0.07
    background_correlation: float = 0.0
    test_backgrounds: str = "same"

    def __post_init__(self) -> None:
        if min(self.num_train, self.num_test) < 2 * len(CLASSES):
            raise ValueError(
                f"num_train {self.num_train} and num_test {self.num_test}: give at least "
                f"{2 * len(CLASSES)}, two of each class"
            )
        if not 0 < self.size[0] <= self.size[1] <= SIZE / 2:
            raise ValueError(f"size is (smallest, largest) radius up to {SIZE // 2}: {self.size}")
        if min(self.position, self.rotation, self.clutter, self.noise) < 0:
            raise ValueError("position, rotation, clutter and noise cannot be negative")
        if not 0 <= self.background_correlation <= 1:
            raise ValueError(
                f"background_correlation is a probability in [0, 1], not "
                f"{self.background_correlation}"
            )
        if self.test_backgrounds not in ("same", "random", "swapped"):
            raise ValueError(
                f"test_backgrounds is one of same, random, swapped, not {self.test_backgrounds!r}"
            )


class Shapes(NamedTuple):
    """Pictures, and what was drawn in them."""

    images: Tensor  # (N, 3, 32, 32) uint8
    labels: Tensor  # (N,) int64: the figure, an index into CLASSES
    backgrounds: Tensor  # (N,) int64: the family of the background, an index into FAMILIES
    masks: Tensor  # (N, 32, 32) bool: where the figure is


class _Scene(NamedTuple):
    """Everything that is random about each picture but the noise; lengths in pixels."""

    label: Tensor  # (N,)
    family: Tensor  # (N,)
    centre: Tensor  # (N, 2) of the figure, from the middle of the picture
    radius: Tensor  # (N,)
    angle: Tensor  # (N,) radians
    colours: Tensor  # (N, 4, 3): both of the background, of the figure, of its rim
    origin: Tensor  # (N, 2) of the texture
    stretch: Tensor  # (N,) of the texture
    slant: Tensor  # (N,) of the texture, radians
    clutter_at: Tensor  # (N, K, 2)
    clutter_radius: Tensor  # (N, K)
    clutter_colours: Tensor  # (N, K, 3)


def read(config: ShapesConfig) -> RawSet:
    """Draw a training and a test part."""
    train_generator = torch.Generator().manual_seed(2 * config.seed)
    test_generator = torch.Generator().manual_seed(2 * config.seed + 1)
    train = make_shapes(config.num_train, config, train_generator)
    test = make_shapes(config.num_test, config, test_generator, config.test_backgrounds)
    return RawSet(
        train=Part(train.images, train.labels),
        test=Part(test.images, test.labels),
        classes=CLASSES,
        source=SOURCE,
        licence=LICENCE,
    )


def make_shapes(
    num: int, config: ShapesConfig, generator: Generator, backgrounds: str = "same"
) -> Shapes:
    """Draw pictures, the classes equally often.

    The same generator state gives the same pictures. Other backgrounds leave everything else
    in place: the figures, their colours, the clutter and the noise.

    Args:
        num: how many.
        config: the dials; `num_train`, `num_test`, `seed` and `test_backgrounds` play no part.
        generator: a generator on the CPU.
        backgrounds: "same" as `config` says, "random" or "swapped".
    """
    scene = _draw_scene(num, config, generator, backgrounds)
    images, masks = [], []
    for start in range(0, num, _CHUNK):
        chunk = _Scene(*(values[start : start + _CHUNK] for values in scene))
        noise = torch.randn(len(chunk.label), 3, SIZE, SIZE, generator=generator)
        picture, mask = _render(chunk)
        images.append(_to_bytes(picture + config.noise * noise))
        masks.append(mask)
    return Shapes(torch.cat(images), scene.label, scene.family, torch.cat(masks))


def _draw_scene(num: int, config: ShapesConfig, generator: Generator, backgrounds: str) -> _Scene:
    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(num, *shape, generator=generator)

    label = (torch.arange(num) % len(CLASSES))[torch.randperm(num, generator=generator)]
    family = _draw_family(label, config.background_correlation, backgrounds, generator)
    radius = uniform(*config.size)
    room = (SIZE / 2 - radius).clamp(max=config.position)[:, None]
    turn = math.radians(config.rotation)
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
        clutter_at=uniform(-SIZE / 2, SIZE / 2, config.clutter, 2),
        clutter_radius=uniform(1.0, 2.6, config.clutter),
        clutter_colours=_rgb(
            uniform(0, 1, config.clutter),
            uniform(0.3, 0.9, config.clutter),
            uniform(0.2, 1, config.clutter),
        ),
    )


def _draw_family(
    label: Tensor, correlation: float, backgrounds: str, generator: Generator
) -> Tensor:
    """The background family of each picture; the same numbers are drawn in each case."""
    chance = torch.rand(len(label), generator=generator)
    other = torch.randint(len(FAMILIES), (len(label),), generator=generator)
    step = torch.randint(1, len(FAMILIES), (len(label),), generator=generator)
    if backgrounds == "random":
        return other
    if backgrounds == "swapped":
        return (label + step) % len(FAMILIES)
    return torch.where(chance < correlation, label, other)


def _draw_colours(family: Tensor, dice: Tensor) -> Tensor:
    """Colours of background, figure and rim.

    The background is muted and of its family's hue, in two shades. The figure has any hue,
    strong and light with a dark rim, or dark with a light rim.

    Args:
        family: (N,).
        dice: (N, 9), uniform in [0, 1).

    Returns:
        (N, 4, 3), RGB in [0, 1].
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
    """From hue, saturation and value, each (...), to RGB (..., 3), all in [0, 1]."""
    sector = (hue[..., None] * 6 + torch.tensor([5.0, 3.0, 1.0])) % 6
    loss = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * loss)


def _render(scene: _Scene) -> tuple[Tensor, Tensor]:
    """Draw scenes without noise.

    Returns:
        (N, 3, 32, 32), float, about [0, 1], and where the figures are, (N, 32, 32), bool.
    """
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
    """The textures, (N, 3, 32, 32)."""
    x, y = _turn(*_plane(scene.origin), scene.slant)
    x, y = (along * scene.stretch[:, None, None] for along in (x, y))
    blend = torch.empty_like(x)
    for family, texture in enumerate(TEXTURES.values()):
        mine = scene.family == family
        blend[mine] = texture(x[mine], y[mine])
    first, second = scene.colours[:, 0, :, None, None], scene.colours[:, 1, :, None, None]
    return first + (second - first) * blend[:, None]


def _figure_distance(scene: _Scene) -> Tensor:
    """The signed distance from each pixel to the figure, in pixels, (N, 32, 32)."""
    x, y = _turn(*_plane(scene.centre), scene.angle)
    radius = scene.radius[:, None, None]
    distance = torch.empty_like(x)
    for label, outline in enumerate(OUTLINES.values()):
        mine = scene.label == label
        distance[mine] = outline(x[mine] / radius[mine], y[mine] / radius[mine]) * radius[mine]
    return distance


def _plane(origin: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of the pixels' middles as seen from each origin (N, 2), both (N, 32, 32)."""
    steps = torch.arange(SIZE) + 0.5 - SIZE / 2
    x = steps[None, None, :] - origin[:, 0, None, None]
    y = -steps[None, :, None] - origin[:, 1, None, None]  # up, while rows count down
    return x.expand(-1, SIZE, -1), y.expand(-1, -1, SIZE)


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame turned by each angle (N,), in radians."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return x * cos + y * sin, y * cos - x * sin


def _paint(picture: Tensor, cover: Tensor, colour: Tensor) -> Tensor:
    """Lay one colour (N, 3) a picture over it where `cover` (N, H, W) says."""
    return torch.lerp(picture, colour[:, :, None, None].expand_as(picture), cover[:, None])


def _to_bytes(picture: Tensor) -> Tensor:
    return (picture.clamp(0, 1) * 255).round().byte()
