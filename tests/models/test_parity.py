"""Our models against torchvision's: weights copied through the key map, float64.

Dropout is on in train mode, and fair: both models draw their masks from the same seed, in the
same order, on tensors of the same shape.
"""

import math

import pytest
import torch
import torchvision.models as zoo
from torch import nn
from torchvision_keys import from_torchvision

from course_utils import models

# Height and width, of a square picture and of one that is wider.
GOOGLE_SIZES = ((79, 79), (79, 96))
RESNET_SIZES, DENSENET_SIZES = ((48, 48), (48, 64)), ((40, 40), (40, 64))
VGG_SIZES = ((32, 32), (32, 64))
V15 = {"stride_on": "3x3"}
PORT = {"variant": "torchvision"}

# ours, switches, torchvision's, its arguments, two sizes
CASES = [
    *(
        (name, {"norm": norm}, getattr(zoo, name + suffix), {}, VGG_SIZES)
        for name in ("vgg11", "vgg13", "vgg16", "vgg19")
        for norm, suffix in (("none", ""), ("batch", "_bn"))
    ),
    (
        "googlenet",
        PORT,
        zoo.googlenet,
        {"init_weights": False, "aux_logits": True},
        GOOGLE_SIZES,
    ),
    (
        "googlenet",
        {**PORT, "aux_heads": False},
        zoo.googlenet,
        {"init_weights": False, "aux_logits": False},
        GOOGLE_SIZES,
    ),
    ("resnet18", {"shortcut": "B"}, zoo.resnet18, {}, RESNET_SIZES),
    ("resnet34", {"shortcut": "B"}, zoo.resnet34, {}, RESNET_SIZES),
    ("resnet50", V15, zoo.resnet50, {}, RESNET_SIZES),
    ("resnet101", V15, zoo.resnet101, {}, RESNET_SIZES),
    ("resnet152", V15, zoo.resnet152, {}, RESNET_SIZES),
    ("densenet121", {}, zoo.densenet121, {}, DENSENET_SIZES),
    ("densenet169", {}, zoo.densenet169, {}, DENSENET_SIZES),
    ("densenet201", {}, zoo.densenet201, {}, DENSENET_SIZES),
]


@torch.no_grad()
def fill_at_random(model: nn.Module, generator: torch.Generator) -> None:
    """Give every weight and buffer a value that lets a signal of order 1 through all layers."""
    for name, tensor in model.state_dict().items():
        if tensor.dim() >= 2:  # a filter or a matrix: He's variance
            bound = math.sqrt(6 / tensor[0].numel())
            tensor.uniform_(-bound, bound, generator=generator)
        elif name.endswith("num_batches_tracked"):
            tensor.zero_()
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        else:
            tensor.uniform_(-0.2, 0.2, generator=generator)


def narrowed(model: nn.Module) -> nn.Module:
    """Leave a quarter of all channels, and 48 of 4096 hidden units: wired alike, and far cheaper.

    That the full widths agree is tested by the key map.
    """
    kept = {3: 3, 4096: 48}  # the colours stay
    for module in model.modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in tensors:
            shape = [kept.get(size, size // 4) for size in tensor.shape[:2]]
            fewer = tensor.detach().new_empty([*shape, *tensor.shape[2:]])
            setattr(module, name, nn.Parameter(fewer) if tensor.requires_grad else fewer)
    return model


def pair_of_models(name, switches, theirs, arguments):
    """Return ours and theirs with the same weights, the parameters even in the same memory."""
    with torch.device("meta"):
        reference = narrowed(theirs(weights=None, **arguments)).double()
        ours = narrowed(models.build(name, **switches)).double()
    reference = reference.to_empty(device="cpu")
    fill_at_random(reference, torch.Generator().manual_seed(0))
    parameters = dict(reference.named_parameters())
    weights = {k: parameters.get(k, v.clone()) for k, v in reference.state_dict().items()}
    ours.load_state_dict(from_torchvision(weights, ours), assign=True)
    return ours, reference


def run(model: nn.Module, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return all outputs in our order, and the gradient of a random mix of them."""
    torch.manual_seed(1)  # the masks of dropout
    images = images.clone().requires_grad_()
    outputs = model(images)
    if isinstance(outputs, torch.Tensor):
        outputs = (outputs,)
    elif isinstance(outputs, zoo.GoogLeNetOutputs):
        outputs = (outputs.logits, outputs.aux_logits1, outputs.aux_logits2)
    generator = torch.Generator().manual_seed(2)
    mix = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in outputs]
    (gradient,) = torch.autograd.grad(outputs, images, mix)
    return [o.detach() for o in outputs], gradient


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference as a share of the largest value."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(
    ("name", "switches", "theirs", "arguments", "sizes"),
    CASES,
    ids=[f"{c[0]}-{'-'.join(map(str, c[1].values()))}" for c in CASES],
)
def test_outputs_and_input_gradients_equal_those_of_torchvision(
    name, switches, theirs, arguments, sizes
):
    ours, reference = pair_of_models(name, switches, theirs, arguments)
    generator = torch.Generator().manual_seed(3)
    for size in sizes:
        images = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
        for training in (False, True):
            outputs, gradient = run(ours.train(training), images)
            expected, expected_gradient = run(reference.train(training), images)
            assert len(outputs) == len(expected)
            for output, wanted in zip(outputs, expected, strict=True):
                assert relative_error(output, wanted) < 1e-5
            assert relative_error(gradient, expected_gradient) < 1e-4
    theirs_renamed = from_torchvision(reference.state_dict(), ours)
    for key, buffer in ours.named_buffers():  # what the two training passes left behind
        torch.testing.assert_close(buffer, theirs_renamed[key], rtol=1e-9, atol=1e-9)


def test_the_key_map_carries_all_weights_and_no_others():
    for name, switches, theirs, arguments, _ in CASES:
        with torch.device("meta"):
            ours = models.build(name, **switches)
            reference = theirs(weights=None, **arguments)
        renamed = from_torchvision(reference.state_dict(), ours)
        shapes = {key: value.shape for key, value in ours.state_dict().items()}
        assert {key: value.shape for key, value in renamed.items()} == shapes


def test_a_model_that_torchvision_lacks_is_named():
    with pytest.raises(ValueError, match="no counterpart of LeNet5"):
        from_torchvision({}, models.build("lenet5"))
