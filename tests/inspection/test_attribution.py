"""Saliency and Grad-CAM, held against gradients and sums worked out without Captum."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils import models
from course_utils.inspection import capture, grad_cam, last_conv, saliency, share_on_mask


def pictures(num: int = 3, channels: int = 3, size: int = 16) -> Tensor:
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(1))


def chain() -> nn.Sequential:
    """Two convolutions, a pool, a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(6 * 16, 5),
    )  # fmt: skip


class Branches(nn.Module):
    """Two convolutions side by side: neither sees everything, their sum does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.both = Both()
        self.head = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.both(self.stem(images)).mean(dim=(2, 3)))


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.left(x).relu() + self.right(x).relu()


TARGETS = torch.tensor([0, 3, 4])


def test_saliency_is_the_largest_gradient_of_a_pixels_channels() -> None:
    model, images = chain(), pictures()
    found = saliency(model, images, TARGETS)
    leaf = images.clone().requires_grad_()
    wanted = torch.stack([
        torch.autograd.grad(model(leaf[i : i + 1])[0, target], leaf)[0][i].abs().amax(dim=0)
        for i, target in enumerate(TARGETS)
    ])  # fmt: skip
    torch.testing.assert_close(found, wanted)
    assert found.shape == (3, 16, 16) and found.max() > 0


def test_saliency_of_a_linear_model_is_its_weights() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
    weights = torch.tensor([[1.0, -2, 0, 0, 3, 1, 0, 0, -1, 1, -5, 0], [0.0] * 12])
    model[1].weight.data = weights  # three channels of 2x2 pixels
    [found] = saliency(model, torch.randn(1, 3, 2, 2), torch.tensor([0]))
    assert found.tolist() == [[3.0, 2.0], [5.0, 0.0]]


def hand_model(head: list[list[float]]) -> nn.Sequential:
    """Maps A^1 = x and A^2 = -x of a grey picture; their sums over four places, weighted."""
    conv, linear = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(8, 2, bias=False)
    conv.weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    linear.weight.data = torch.tensor(head).repeat_interleave(4, dim=1)
    return nn.Sequential(conv, nn.Identity(), nn.Flatten(), linear)


def test_grad_cam_worked_out_by_hand() -> None:
    # Class 0: logit = 3 sum A^1 + 1 sum A^2, so the weights are 3 and 1, and the weighted sum of
    # the maps is 3x - x = 2x; what is negative is cut off. Class 1: 2 A^2 = -2x.
    model = hand_model([[3.0, 1.0], [0.0, 2.0]])
    images = torch.tensor([[[[1.0, -4.0], [2.0, 0.5]]]]).repeat(2, 1, 1, 1)
    first, second = grad_cam(model, images, torch.tensor([0, 1]), "0")
    assert first.tolist() == [[2.0, 0.0], [4.0, 1.0]]
    assert second.tolist() == [[0.0, 8.0], [0.0, 0.0]]


def formula(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    """Equations 1 and 2 of Selvaraju et al. 2017, then bilinear to the picture's size."""
    model.eval()
    with capture(model, layer) as seen:
        model(images.clone().requires_grad_()).gather(1, targets[:, None]).sum().backward()
    maps, gradients = seen.features[layer], seen.gradients[layer]
    num_places = maps.shape[2] * maps.shape[3]
    weights = torch.einsum("nkij->nk", gradients) / num_places
    coarse = F.relu(torch.einsum("nk,nkij->nij", weights, maps))
    return F.interpolate(coarse[:, None], images.shape[2:], mode="bilinear")[:, 0]


@pytest.mark.parametrize("layer", ["1", "3", "4", "5"])
def test_grad_cam_is_the_papers_formula(layer: str) -> None:
    model, images = chain(), pictures()
    found = grad_cam(model, images, TARGETS, layer)
    assert found.max() > 0
    torch.testing.assert_close(found, formula(model, images, TARGETS, layer))


@pytest.mark.parametrize(
    "name", ["vgg_small", "resnet_small", "googlenet_small", "densenet_small", "nin_small"]
)
def test_grad_cam_of_the_courses_models(name: str) -> None:
    model = models.build(name, generator=torch.Generator().manual_seed(0))
    images = pictures(size=32)
    found = grad_cam(model, images, TARGETS)
    torch.testing.assert_close(found, formula(model, images, TARGETS, last_conv(model)))
    assert found.shape == (3, 32, 32) and found.max() > 0


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("lenet5", "features.4", "ReLU"),
        ("alexnet_small", "features.13", "ReLU"),
        ("vgg_small", "blocks.4.3", "ReLU"),
        ("googlenet_small", "inception.4", "Inception"),
        ("resnet_small", "stages.2.0", "BasicBlock"),
        ("resnet20", "stages.2.2", "BasicBlock"),
        ("densenet_small", "norm", "BatchNorm2d"),
    ],
)
def test_last_conv_finds_the_maps_that_everything_passes(name: str, layer: str, kind: str) -> None:
    model = models.build(name)
    assert last_conv(model) == layer
    assert type(model.get_submodule(layer)).__name__ == kind


def test_last_conv_passes_over_a_branch() -> None:
    assert last_conv(Branches(), pictures()) == "both"
    frozen = Branches().requires_grad_(False)
    assert last_conv(frozen, pictures()) == "both"


def test_last_conv_needs_maps() -> None:
    with pytest.raises(ValueError, match=r"MLP has no maps .* use saliency or occlusion"):
        last_conv(models.build("mlp"))


@pytest.mark.parametrize("explain", [saliency, grad_cam])
def test_the_model_comes_back_as_it_was(explain) -> None:
    model = nn.Sequential(*chain()[:6], nn.Dropout(0.5), nn.BatchNorm2d(6), *chain()[6:]).train()
    model[7].eval()  # frozen statistics inside a model in training
    state = {name: value.clone() for name, value in model.state_dict().items()}
    images, generator = pictures(), torch.get_rng_state()
    before = images.clone()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (explain(model, images, TARGETS) for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    assert [module.training for module in model] == [True] * 7 + [False] + [True] * 2
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(images, before) and not images.requires_grad
    assert torch.equal(torch.get_rng_state(), generator)
    assert not any(module._forward_hooks for module in model.modules())


def test_frozen_parameters_can_be_asked() -> None:
    frozen, images = chain().requires_grad_(False), pictures()
    torch.testing.assert_close(
        grad_cam(frozen, images, TARGETS), grad_cam(chain(), images, TARGETS)
    )
    torch.testing.assert_close(
        saliency(frozen, images, TARGETS), saliency(chain(), images, TARGETS)
    )


def test_an_error_inside_the_model_leaves_it_as_it_was() -> None:
    model = chain().train()
    with pytest.raises(ValueError, match=r"the model fails on images of \(3, 3, 8, 8\), .*: mat1"):
        saliency(model, pictures(size=8), TARGETS)
    assert model.training and not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("explain", [saliency, grad_cam])
@pytest.mark.parametrize(
    ("images", "targets", "sentence"),
    [
        (pictures()[0], TARGETS, r"images are torch.float32 \(3, 16, 16\)"),
        (pictures().byte(), TARGETS, "images are torch.uint8"),
        (pictures(), TARGETS[:2], r"targets are torch.int64 \(2,\): .* the 3 images"),
        (pictures(), TARGETS.float(), "targets are torch.float32"),
        (pictures(), TARGETS + 1, "there is no class 5: the model has 0 to 4"),
        (pictures(), TARGETS - 1, "there is no class -1"),
    ],
)
def test_bad_input_is_one_sentence(explain, images, targets, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        explain(chain(), images, targets)


def test_grad_cam_refuses_a_layer_without_maps() -> None:
    with pytest.raises(ValueError, match="the model has no layer 'head'"):
        grad_cam(chain(), pictures(), TARGETS, "head")
    with pytest.raises(ValueError, match="layer '7' has no maps"):
        grad_cam(chain(), pictures(), TARGETS, "7")


def test_share_on_mask_counts_what_speaks_for_the_class() -> None:
    maps = torch.tensor([[[1.0, 3.0], [-9.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]], [[0.0] * 2] * 2])
    masks = torch.tensor([[False, True], [True, False]]).expand(3, 2, 2)
    shares = share_on_mask(maps, masks)
    assert shares[:2].tolist() == [0.75, 0.5] and shares[2].isnan()


def test_share_on_mask_wants_equal_shapes() -> None:
    with pytest.raises(ValueError, match=r"maps \(2, 4, 4\) and masks \(2, 8, 8\)"):
        share_on_mask(torch.zeros(2, 4, 4), torch.zeros(2, 8, 8, dtype=torch.bool))
