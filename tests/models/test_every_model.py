"""What must hold for each name of the zoo."""

import io
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models import MODELS, build, input_shape, names, vgg


def size_for(name: str) -> int:
    """Return the size that is cheapest for the net, with at least four positions at its end."""
    row = MODELS[name]
    return row.input_shape[1] if "image_size" in row.switches else max(row.min_size, 16)


def all_logits(outputs) -> list[torch.Tensor]:
    return [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)


def through_a_file(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Save and load a state dict; half a gigabyte of VGG stays where it is."""
    if sum(w.numel() for w in weights.values()) > 30_000_000:
        return weights
    file = io.BytesIO()
    torch.save(weights, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def without_content(name: str, device: str = "cpu", **options) -> nn.Module:
    """Return a model whose weights are whatever the memory held: its shapes are asked for.

    A small input goes through it several times faster on the processor than on the meta device,
    whose every operation is Python; a large one the other way round.
    """
    with torch.device("meta"):
        return build(name, **options).to_empty(device=device)


@pytest.fixture
def few_hidden(monkeypatch):
    """Leave 64 of VGG's 4096 hidden units, which hold nine in ten of its parameters."""
    monkeypatch.setattr(vgg, "VGG", partial(vgg.VGG, hidden_size=64))


@pytest.mark.parametrize("name", names())
@pytest.mark.usefixtures("few_hidden")
def test_forward_backward_and_round_trip(name):
    """One pass of everything, on one build: the large nets take seconds to fill."""
    model = build(name, num_classes=7, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    size = size_for(name)
    images = torch.randn(4, input_shape(model)[0], size, size, generator=generator)
    labels = torch.randint(7, (4,), generator=generator)

    outputs = all_logits(model.train()(images))
    assert all(logits.shape == (4, 7) for logits in outputs)
    sum(F.cross_entropy(logits, labels) for logits in outputs).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {key}"
        assert torch.isfinite(parameter.grad).all(), f"the gradient of {key} is not finite"
        assert parameter.grad.abs().sum() > 0, f"the gradient of {key} is zero"

    with torch.device("meta"):
        twin = build(name, num_classes=7)
    twin.load_state_dict(through_a_file(model.state_dict()), assign=True)
    with torch.no_grad():
        logits, copied = model.eval()(images), twin.eval()(images)
    assert logits.shape == (4, 7)
    assert torch.isfinite(logits).all()
    assert torch.equal(logits, copied)


@pytest.mark.parametrize("name", [n for n in names() if MODELS[n].input_shape[1] <= 32])
@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32])
def test_small_nets_take_both_kinds_of_picture(name, in_channels, size):
    sized = {"image_size": size} if "image_size" in MODELS[name].switches else {}
    model = without_content(name, in_channels=in_channels, num_classes=10, **sized)
    with torch.no_grad():
        assert model(torch.zeros(2, in_channels, size, size)).shape == (2, 10)


@pytest.mark.parametrize("name", names())
@pytest.mark.usefixtures("few_hidden")
def test_the_smallest_size_is_accepted_and_one_less_is_not(name):
    row = MODELS[name]
    exact = "image_size" in row.switches
    smallest = row.input_shape[1] if exact else row.min_size
    model = without_content(name)
    with torch.no_grad():
        model(torch.zeros(2, row.input_shape[0], smallest, smallest))
        with pytest.raises(ValueError, match=f"{smallest}x{smallest}, got ") as excinfo:
            model(torch.zeros(2, row.input_shape[0], smallest - 1, smallest))
        assert "\n" not in str(excinfo.value)
        with pytest.raises(ValueError, match="in_channels=5"):
            model(torch.zeros(2, 5, smallest, smallest))


@pytest.mark.parametrize("name", names())
def test_own_size_gives_the_paper_s_maps(name):
    """The adaptive pools that let other sizes through must have nothing to do at the paper's."""
    model = without_content(name, "meta")
    pools = [module for module in model.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
    watched = pools if name != "vgg_small" else []
    hooks = [pool.register_forward_hook(same_shape) for pool in watched]
    with torch.no_grad():
        model(torch.zeros(2, *input_shape(model), device="meta"))
    for hook in hooks:
        hook.remove()


def same_shape(module, args, output):
    assert args[0].shape == output.shape


@pytest.mark.parametrize("name", [n for n in names() if n.endswith("_small")])
def test_no_small_net_throws_pixels_away_at_its_start(name):
    first = next(m for m in build(name).modules() if isinstance(m, nn.Conv2d))
    assert first.stride == (1, 1)
    assert max(first.kernel_size) <= 5
