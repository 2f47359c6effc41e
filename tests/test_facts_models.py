"""What the ledger says of an architecture, against the architecture itself.

Nothing here is typed in twice: names, switches and counts are read from ``facts.toml``. Models are
built on the meta device, so even VGG-19 takes no memory.
"""

import pytest
import torch
from ledger_computations import computation, computed
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import models
from course_utils.inspection import summary, zoo


def built(compute):
    """The model that a ledger row is about."""
    with torch.device("meta"):
        return models.build(
            compute.model,
            in_channels=compute.in_channels,
            num_classes=compute.num_classes,
            **compute.switches,
        )


@pytest.mark.parametrize("fact", computed("parameters"))
def test_parameters_are_those_of_the_ledger(fact):
    assert sum(p.numel() for p in built(computation(fact)).parameters()) == fact.ours


@pytest.mark.parametrize("fact", computed("multiply_adds"))
def test_multiply_adds_are_those_of_the_ledger(fact):
    compute = computation(fact)
    assert summary(built(compute), compute.input).multiply_adds == fact.ours


def test_the_ledger_covers_the_tables_of_the_syllabus():
    covered = {param.id for param in computed("parameters")}
    assert covered >= {
        "lenet5.parameters",
        "alexnet.parameters",
        "alexnet.parameters_one_tower",
        *(f"{name}.parameters" for name in ("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16")),
        "vgg19.parameters",
        "googlenet.parameters",
        "googlenet.parameters_with_heads",
        "googlenet.parameters_torchvision",
        *(f"resnet{depth}.cifar_parameters" for depth in (20, 32, 44, 56, 110)),
        *(f"resnet34.parameters_option_{option}" for option in "abc"),
        "densenet_bc100.parameters",
    }
    assert {param.id for param in computed("multiply_adds")} >= {
        "resnet50.multiply_adds",
        "resnet50_v15.multiply_adds",
        *(f"resnet{depth}.cifar_multiply_adds" for depth in (20, 32, 44, 56, 110)),
        "densenet_bc100.multiply_adds",
    }


def check_counts(model, size):
    """Our totals against PyTorch's own counter and the plain sum of the parameters."""
    found = summary(model, size)
    if size[1] <= 32:  # where to compute is faster than not to
        model.to_empty(device="cpu")
    device = next(model.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, *size, device=device))
    assert 2 * found.multiply_adds == counter.get_total_flops()
    assert found.parameters == sum(p.numel() for p in model.parameters())
    return found


@pytest.mark.parametrize("name", models.names())
def test_every_model_is_counted_as_pytorch_counts_it(name):
    """And so are the counts that come with the course."""
    with torch.device("meta"):
        model = models.build(name)
    found = check_counts(model, models.input_shape(model))
    counts = (found.parameters, found.multiply_adds)
    assert zoo.kept_counts()[name] == counts, "run python tools/count_models.py"
    assert found.rows[0].receptive_field is not None
    used = [row for row in found.rows if row.output_shape is not None]
    assert used[-1].output_shape == (models.MODELS[name].num_classes,) or name.startswith("nin")
    assert all(row.receptive_field is not None for row in used)


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("googlenet", {}),
        ("googlenet", {"variant": "torchvision"}),
        ("densenet_small", {"memory_efficient": True}),
        ("resnet20", {"norm": "weight"}),
        ("resnet20", {"norm": "scaled_weight"}),
        ("resnet20", {"norm": "group"}),
        ("resnet34", {"shortcut": "C"}),
        ("resnet50", {"stride_on": "3x3"}),
        ("vgg11", {"norm": "batch"}),
        ("alexnet", {"one_tower": True}),
        ("lenet5", {"image_size": 32, "pooling": "average", "activation": "scaled_tanh"}),
    ],
)
def test_so_are_the_variants(name, switches):
    with torch.device("meta"):
        model: nn.Module = models.build(name, **switches)
    check_counts(model, models.input_shape(model))
