"""What all contenders of the training benchmark share: images, weights, optimiser."""

import torch
from torch import nn
from turns import Setting

from course_utils.data import Augment, Batches, load
from course_utils.models import build

CROP_PADDING = 4
LR = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def load_pictures(setting: Setting) -> Batches:
    """Return the training set of a setting, with just as many images as an epoch takes.

    Raises:
        ValueError: The data set has fewer.
    """
    num = setting.num_images
    # Procedural images are drawn on demand; some of them are held out again.
    options = {"num_train": 2 * num + 200, "num_test": 20} if setting.data == "shapes" else {}
    train = load(
        setting.data,
        batch_size=setting.batch_size,
        augment=Augment(crop_padding=CROP_PADDING, flip=True),
        generator=torch.Generator().manual_seed(setting.seed),
        limit=num,
        **options,
    ).train
    if train.num_images < num:
        raise ValueError(f"{setting.data} has {train.num_images} training images, not {num}")
    return train


def build_model(setting: Setting, train: Batches) -> nn.Module:
    """Return the model of a setting, with the same weights for every contender."""
    torch.manual_seed(setting.seed)
    num_classes = int(train.labels.max()) + 1
    return build(setting.model, in_channels=train.image_shape[0], num_classes=num_classes)


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of all contenders; only the course does not decay biases and norms."""
    return torch.optim.SGD(
        model.parameters(), lr=LR, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
