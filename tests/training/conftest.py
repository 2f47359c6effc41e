"""A small data set and small models that training tests share."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from course_utils.data import Batches


@dataclass(frozen=True)
class TwoParts:
    """What fit may look at. There is no test set: asking for it would fail."""

    train: Any
    val: Any


def bright_halves(num_images: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy 8x8 pictures of four classes: the label says which quarter is brighter."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 160, (num_images, 1, 8, 8), generator=generator)
    labels = torch.randint(4, (num_images,), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[:, top : top + 4, left : left + 4] += 60
    return images.to(torch.uint8), labels


@pytest.fixture
def make_loaders():
    """A function that makes the same loaders each time it is called with the same arguments."""

    def make(num_train=100, num_val=50, batch_size=16, seed=0, **options):
        settings = {"batch_size": batch_size, "mean": (0.4,), "std": (0.2,), **options}
        generator = torch.Generator().manual_seed(seed)
        train = Batches(*bright_halves(num_train, 1), shuffle=True, generator=generator, **settings)
        settings.pop("augment", None)
        return TwoParts(train, Batches(*bright_halves(num_val, 2), **settings))

    return make


@pytest.fixture
def make_model():
    """A function that makes the same small convnet each time it is called."""

    def make(dropout=0.0, norm=False):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return nn.Sequential(
                nn.Conv2d(1, 6, 3, padding=1),
                nn.BatchNorm2d(6) if norm else nn.Identity(),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Dropout(dropout),
                nn.Linear(6 * 4 * 4, 4),
            )

    return make
