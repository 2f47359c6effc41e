"""Where a model looks: saliency, Grad-CAM and occlusion, with Captum, and a measure of them.

Each function runs the model in evaluation mode and leaves it as it was: every part in its own
mode, and no gradient on any parameter. Captum is imported at the first call, because it imports
pyplot, which takes longer than all of this package.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.arguments import instance, whole
from course_utils.inspection.capture import capture, find_layer, hooked, in_mode
from course_utils.inspection.trace import main_tensor
from course_utils.models import input_shape
from course_utils.runtime import asked

__all__ = ["Occlusion", "grad_cam", "last_conv", "occlusion", "saliency", "share_on_mask"]

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Which parts of images a model's predictions rely on.

    Attributes:
        answers: (N,), int64: the class that the model predicts for each whole image, or the one
            that was asked for.
        maps: (N, H/s, W/s), float32, for windows moved by s pixels: how much the log-odds of the
            answer, log p/(1 - p), fall, on average over the windows that cover a cell of s by s
            pixels. Positive where the image supports the answer, negative where it does not.
    """

    answers: Tensor
    maps: Tensor


def saliency(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return how strongly the logit of a class depends on each pixel.

    Args:
        model: Returns logits (N, K).
        images: (N, C, H, W), float, normalised, on the model's device.
        targets: (N,), int64: the class to ask for in each image.

    Returns:
        (N, H, W), never negative: the absolute gradient of the logit, the largest over channels.

    Raises:
        ValueError: The images or the classes are not as described.

    Source: Simonyan et al. 2014, section 3.1.
    """
    from captum.attr import Saliency

    scores = class_scores(model, images, targets)
    with in_mode(model, training=False):
        gradients = Saliency(scores).attribute(_leaf(images))  # (N, C, H, W), absolute values
    return gradients.amax(dim=1).detach()


def grad_cam(model: nn.Module, images: Tensor, targets: Tensor, layer: str | None = None) -> Tensor:
    """Return which positions of a layer's maps support a class, stretched over the image.

    Each of the layer's maps A^k is weighted by the mean gradient of the class's logit over its
    positions; the weighted sum is cut off below zero:

        weight_k = mean over i, j of d logit / d A^k_ij,    map = ReLU(sum over k of weight_k A^k)

    Args:
        model: Returns logits (N, K).
        images: (N, C, H, W), float, normalised, on the model's device.
        targets: (N,), int64: the class to ask for in each image.
        layer: Dotted name of a layer whose output is maps (N, C', h, w); None for `last_conv`.

    Returns:
        (N, H, W), never negative; bilinear between the centres of the h x w positions.

    Raises:
        ValueError: The images or the classes are not as described, or the layer is unknown or has
            no maps as output.

    Source: Selvaraju et al. 2017, equations 1 and 2.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    scores = class_scores(model, images, targets)
    name = last_conv(model, images) if layer is None else layer
    with in_mode(model, training=False), capture(model, [name]) as seen:
        explain = LayerGradCam(scores, find_layer(model, name))
        coarse = explain.attribute(_leaf(images), relu_attributions=True).detach()  # (N, 1, h, w)
    if seen.features[name].ndim != 4:
        raise ValueError(f"layer {name!r} has no maps (N, C, h, w): choose one before Flatten")
    size = tuple(images.shape[2:])
    return LayerAttribution.interpolate(coarse, size, interpolate_mode="bilinear")[:, 0]


@torch.no_grad()
def occlusion(
    model: nn.Module,
    images: Tensor,
    *,
    labels: Tensor | None = None,
    patch: int = 8,
    stride: int = 4,
) -> Occlusion:
    """Measure how a model's predictions depend on each part of the images.

    A square of zeros, the mean colour, covers the image at each position of a grid, and the model
    runs again each time. Captum does the covering, the running and the averaging.

    Args:
        model: Returns logits (N, num_classes).
        images: (N, C, H, W), float, normalised, on the model's device.
        labels: (N,), int64: the classes to ask for; None for the model's own predictions.
        patch: Side of the square in pixels, a multiple of `stride`.
        stride: Distance between its positions in pixels; H and W are multiples of it.

    Raises:
        ValueError: The grid does not fit the image, or images or labels are not as described.

    Source: Zeiler & Fergus 2014, section 4.2.
    Differs: log-odds instead of probability, which hardly moves where a model is confident.
    """
    from captum.attr import Occlusion as CaptumOcclusion

    require_pictures(images)
    patch, stride = whole("patch", patch), whole("stride", stride)
    _check_grid(tuple(images.shape[2:]), patch, stride)
    with in_mode(model, training=False):
        with asked(images):
            answers = model(images).argmax(dim=1) if labels is None else labels
        drops = CaptumOcclusion(class_scores(model, images, answers, log_odds)).attribute(
            images,
            sliding_window_shapes=(images.shape[1], patch, patch),
            strides=(images.shape[1], stride, stride),
        )  # (N, C, H, W): the same in all channels, and within each cell of stride by stride
    return Occlusion(answers, drops[:, 0, ::stride, ::stride])


def last_conv(model: nn.Module, images: Tensor | None = None) -> str:
    """Return the name of the layer whose maps suit Grad-CAM best.

    These are the last maps, before they are pooled, through which *everything* passes that the
    prediction depends on. In a chain of convolutions they come from the last one, after its ReLU.
    In a residual block they are the sum, in an Inception module all paths together: the last
    convolution inside would see only a part. Whether everything passes is tested: with the maps
    detached from what made them, no gradient may reach the image.

    Args:
        model: Returns logits (N, K).
        images: (N, C, H, W); None for an image of the size that `models.build` built it for.

    Raises:
        ValueError: The model has no such maps; an MLP has none.

    Example:
        >>> from course_utils import models
        >>> last_conv(models.build("resnet20")), last_conv(models.build("lenet5"))
        ('stages.2.2', 'features.4')
    """
    example = torch.zeros(1, *input_shape(model)) if images is None else images
    require_pictures(example)
    example = example[:1]
    with in_mode(model, training=False), torch.enable_grad(), asked(example):
        for name in dict.fromkeys(reversed(_layers_with_maps(model, example))):
            if _everything_passes(model, example, name):
                return name
    raise ValueError(
        f"{type(model).__name__} has no maps that its whole output passes through: Grad-CAM needs "
        "a convnet, so choose a layer, or use saliency or occlusion"
    )


def share_on_mask(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each map that lies on the object.

    Args:
        maps: (N, H, W), float; negative values count as zero.
        masks: (N, H, W), bool: where the object is.

    Returns:
        (N,), in [0, 1]; NaN for a map that is positive nowhere. For a constant map, this is the
        share of the image that the object covers.

    Raises:
        ValueError: The shapes differ.
    """
    for name, tensor in {"maps": maps, "masks": masks}.items():
        instance(name, tensor, Tensor, "it as (N, H, W)")
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(
            f"maps {tuple(maps.shape)} and masks {tuple(masks.shape)}: give both as (N, H, W)"
        )
    evidence = maps.clamp(min=0)
    return (evidence * masks).sum(dim=(1, 2)) / evidence.sum(dim=(1, 2))


def class_scores(
    model: nn.Module, images: Tensor, targets: Tensor, score: Callable[..., Tensor] | None = None
) -> Callable[[Tensor], Tensor]:
    """Return the function that Captum explains, from images to one number each.

    The number is the score of the targets in the logits (N, K), or by default the target's logit.
    """
    require_pictures(images)
    instance("targets", targets, Tensor, "one class for each of the images, as int64")
    if targets.dtype != torch.int64 or targets.shape != images.shape[:1]:
        raise ValueError(
            f"targets are {targets.dtype} {tuple(targets.shape)}: give one class for each of the "
            f"{len(images)} images, as int64"
        )

    def scores(pictures: Tensor) -> Tensor:
        with asked(pictures):
            logits = model(pictures)  # (N, K)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            kind = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the model returns {kind}: attribution needs logits (N, K)")
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= logits.shape[1]:
            wrong = low if low < 0 else high
            raise ValueError(f"there is no class {wrong}: the model has 0 to {logits.shape[1] - 1}")
        return score(logits, targets) if score else logits.gather(1, targets[:, None])[:, 0]

    return scores


def require_pictures(images: Tensor) -> None:
    """Refuse anything but a batch of images (N, C, H, W) of floats."""
    instance("images", images, Tensor, "a batch of them")
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}: give normalised images "
            "(N, C, H, W), as the loaders do"
        )


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log p/(1 - p) of one class of each row, p its softmax: from (N, K), (N,) to (N,)."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(dim=1)


def _check_grid(size: tuple[int, ...], patch: int, stride: int) -> None:
    if patch % stride:
        raise ValueError(f"patch {patch} is not a multiple of stride {stride}: try 8 and 4")
    if patch > min(size) or any(side % stride for side in size):
        raise ValueError(
            f"a patch of {patch} moved by {stride} does not tile an image of "
            f"{size[0]}x{size[1]}: use a stride that divides its sides, and a smaller patch"
        )


def _leaf(images: Tensor) -> Tensor:
    """Return a copy that requires a gradient, so that frozen parameters do not matter."""
    return images.detach().clone().requires_grad_()


def _layers_with_maps(model: nn.Module, example: Tensor) -> list[str]:
    """Return the names of the layers whose outputs are maps, in the order they finish.

    Maps of one position are left out, and those that a pooling layer made. So are sequences, which
    pass on what their last layer made. With in-place layers and sums, one tensor has several
    makers; the last of them, and of these the outermost, comes last.
    """
    pooled: list[Tensor] = []  # kept alive, so that no other is taken for one of them
    found: list[str] = []

    names = {module: name for name, module in model.named_modules() if name}

    def note(module: nn.Module, args: object, output: object) -> None:
        if isinstance(module, POOLS) and isinstance(output, Tensor):
            pooled.append(output)
        elif (
            isinstance(output, Tensor)
            and output.ndim == 4
            and output[0, 0].numel() > 1
            and type(module) is not nn.Sequential
            and not any(output is other for other in pooled)
        ):
            found.append(names[module])

    with hooked(names, note):
        model(example)
    return found


def _everything_passes(model: nn.Module, example: Tensor, name: str) -> bool:
    """Return whether the output depends on the image through this layer's output alone."""
    picture = _leaf(example)

    def cut(module: nn.Module, args: object, output: Tensor) -> Tensor:
        return output.detach().clone()  # a copy, since what follows may change it in place

    with hooked([model.get_submodule(name)], cut):
        logits = main_tensor(model(picture))
    if logits is None or not logits.requires_grad:
        return True
    [gradient] = torch.autograd.grad(logits.sum(), picture, allow_unused=True)
    return gradient is None
