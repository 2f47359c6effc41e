import pytest
import torch
from torch import nn

from course_utils.models import build
from course_utils.models.normalization import (
    NORMS,
    BatchNorm2dByHand,
    LocalResponseNorm,
    StandardisedWeight,
    norm_layer,
    set_norm_,
)


def random_maps(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(shape, generator=generator, dtype=torch.float64) + 2


def random_affine_(layer: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5, generator=generator)
    return layer.double()


@pytest.mark.parametrize("momentum", [0.1, 0.37])
def test_batch_norm_by_hand_equals_torch_in_outputs_gradients_and_buffers(momentum):
    ours = random_affine_(BatchNorm2dByHand(6, eps=1e-3, momentum=momentum))
    theirs = nn.BatchNorm2d(6, eps=1e-3, momentum=momentum).double()
    theirs.load_state_dict(ours.state_dict())
    for step, training in enumerate((True, True, True, False)):
        results = []
        for layer in (ours, theirs):
            x = random_maps(4, 6, 5, 3, seed=step).requires_grad_()
            y = layer.train(training)(x)
            wanted = (x, *layer.parameters())
            results.append([y, *torch.autograd.grad((y**3).sum(), wanted)])
        for mine, reference in zip(*results, strict=True):
            torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)
        for key, buffer in theirs.named_buffers():
            torch.testing.assert_close(ours.get_buffer(key), buffer, rtol=1e-12, atol=1e-12)
    assert int(ours.num_batches_tracked) == 3


def test_batch_norm_by_hand_divides_by_the_biased_and_tracks_the_unbiased_variance():
    layer = BatchNorm2dByHand(1, eps=0.0, momentum=1.0).double()
    x = torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    assert layer(x).flatten().tolist() == [-1.0, 1.0]  # (x - 2) / sqrt(1)
    assert layer.running_var.item() == 2.0  # 1 * n / (n - 1)
    assert layer.running_mean.item() == 2.0


def test_batch_norm_by_hand_refuses_a_single_value():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm2dByHand(2)(torch.zeros(1, 2, 1, 1))


def test_local_response_norm_has_the_paper_s_alpha():
    x = random_maps(2, 7, 3, 3) * 20  # large, so that the divisor is far from k ** beta
    theirs = nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(LocalResponseNorm()(x), theirs(x))
    total = x[:, 1:6].square().sum(dim=1)  # channel 3 and its two neighbours on each side
    expected = x[:, 3] / (2 + 1e-4 * total) ** 0.75
    torch.testing.assert_close(LocalResponseNorm()(x)[:, 3], expected)


@pytest.mark.parametrize(
    ("norm", "axes"),
    [("batch", (0, 2, 3)), ("layer", (1, 2, 3)), ("instance", (2, 3))],
)
def test_a_norm_normalises_over_its_axes(norm, axes):
    x = random_maps(4, 16, 5, 5)
    y = norm_layer(norm, 16).double()(x)
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
    torch.testing.assert_close(y, (x - mean) / torch.sqrt(variance + 1e-5))


def test_group_norm_takes_eight_channels_at_a_time():
    x = random_maps(4, 16, 5, 5)
    y = norm_layer("group", 16).double()(x).unflatten(1, (2, 8))
    groups = x.unflatten(1, (2, 8))
    mean = groups.mean((2, 3, 4), keepdim=True)
    variance = groups.var((2, 3, 4), correction=0, keepdim=True)
    torch.testing.assert_close(y, (groups - mean) / torch.sqrt(variance + 1e-5))
    assert norm_layer("group", 12).num_groups == 3  # 8 does not divide 12, 4 does


def test_standardised_filters_have_mean_zero_and_keep_a_relu_s_variance_at_one():
    generator = torch.Generator().manual_seed(0)
    filters = 3 + torch.randn(64, 32, 3, 3, generator=generator)
    weight = StandardisedWeight(64)(filters)
    assert weight.mean(dim=(1, 2, 3)).abs().max() < 1e-5
    x = torch.relu(torch.randn(8, 32, 16, 16, generator=generator))
    y = nn.functional.conv2d(x / x.std(), weight)  # variance 1, but mean > 0, as inside a net
    assert torch.relu(y).std().item() == pytest.approx(1, rel=0.05)


def test_weight_norm_separates_length_and_direction_without_changing_the_net():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 32, 32, generator=generator)
    plain = build("resnet_small", norm="none", generator=torch.Generator().manual_seed(1)).eval()
    normed = build("resnet_small", norm="weight", generator=torch.Generator().manual_seed(1)).eval()
    torch.testing.assert_close(normed(images), plain(images), rtol=1e-4, atol=1e-4)
    conv = normed.stem[0]
    weight = conv.parametrizations.weight
    length, direction = weight.original0, weight.original1
    with torch.no_grad():
        direction *= 5  # the length of v must not matter
    norms = conv.weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, length.flatten())
    torch.testing.assert_close(normed(images), plain(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet_small", "vgg_small", "googlenet_small", "densenet_small"])
@pytest.mark.parametrize("norm", NORMS)
def test_the_switch_works_in_every_family_that_has_it(name, norm):
    model = build(name, norm=norm, generator=torch.Generator().manual_seed(0)).train()
    kinds = [type(m) for m in model.modules()]
    expected = {
        "batch": nn.BatchNorm2d,
        "layer": nn.GroupNorm,
        "group": nn.GroupNorm,
        "instance": nn.InstanceNorm2d,
    }
    for layer in (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d):
        assert (layer in kinds) == (expected.get(norm) is layer)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    model(images).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    if norm in ("none", "weight", "scaled_weight"):
        assert all(conv.bias is not None for conv in convs)
    parametrised = [nn.utils.parametrize.is_parametrized(conv) for conv in convs]
    assert all(parametrised) if norm in ("weight", "scaled_weight") else not any(parametrised)


def test_scales_are_carried_over():
    model = nn.Sequential(nn.BatchNorm2d(8))
    nn.init.constant_(model[0].weight, 0.25)
    set_norm_(model, "group")
    assert isinstance(model[0], nn.GroupNorm)
    assert model[0].weight.unique().tolist() == [0.25]


def test_an_unknown_norm_changes_nothing():
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    with pytest.raises(ValueError, match="'bn' is unknown: choose from none, batch"):
        set_norm_(model, "bn")
    assert model[0].bias is None
    assert isinstance(model[1], nn.BatchNorm2d)
