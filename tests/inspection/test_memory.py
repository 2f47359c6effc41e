"""Bytes of a training step, against layers whose bytes can be counted by hand."""

import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.inspection import training_memory
from course_utils.inspection.memory import LiveBytes


def test_each_activation_that_backward_needs_is_counted_once() -> None:
    conv, relu, linear = 4 * 8 * 8 * 8, 4 * 8 * 8 * 8, 4 * 8
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3),  # keeps its input: the pictures, not counted
        nn.ReLU(),  # keeps its output, which the next convolution keeps as its input, too
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Sigmoid(),  # keeps its output
        nn.AdaptiveAvgPool2d(1),  # keeps its input: the same tensor
        nn.Flatten(),
        nn.Linear(8, 3),  # keeps its input, 8 numbers a picture
    )
    memory = training_memory(net, torch.zeros(4, 1, 10, 10))
    assert memory.saved == 4 * (relu + conv + linear)


def test_the_peak_holds_what_was_saved_and_more() -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())
    memory = training_memory(net, torch.zeros(4, 1, 10, 10))
    maps = 4 * 4 * 8 * 8 * 8
    # The convolution's output dies with the ReLU's birth; backward has both again for a moment.
    assert memory.saved == maps
    assert 2 * maps <= memory.peak < 3 * maps


def test_memory_grows_with_the_batch_in_proportion() -> None:
    net = models.build("densenet_small", in_channels=1, num_classes=10)
    one, three = (training_memory(net, torch.zeros(n, 1, 28, 28)).saved for n in (4, 12))
    assert three / one == pytest.approx(3, rel=0.01)  # batch statistics do not grow


@pytest.mark.parametrize("memory_efficient", [False, True])
def test_the_meta_device_counts_what_the_processor_counts(memory_efficient: bool) -> None:
    switches = {"in_channels": 1, "num_classes": 10, "memory_efficient": memory_efficient}
    real = models.build("densenet_small", depth=10, **switches)
    computed = training_memory(real, torch.zeros(2, 1, 8, 8))
    with torch.device("meta"):
        twin = models.build("densenet_small", depth=10, **switches)
        assert training_memory(twin, torch.zeros(2, 1, 8, 8)) == computed


def test_checkpointing_saves_the_more_the_deeper_the_block() -> None:
    def share_left(depth: int) -> float:
        with torch.device("meta"):
            pictures = torch.zeros(2, 3, 16, 16)
            plain, efficient = (
                training_memory(
                    models.build("densenet_small", depth=depth, memory_efficient=switch), pictures
                )
                for switch in (False, True)
            )
        assert efficient.peak < plain.peak
        return efficient.saved / plain.saved

    assert share_left(40) < share_left(10) < 1


def test_the_model_comes_back_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten())
    net.eval()
    net[1].train()
    torch.manual_seed(0)
    state, random = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    training_memory(net, torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(1)))
    assert [m.training for m in net] == [False, True, False, False]
    assert all(torch.equal(state[key], value) for key, value in net.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None for p in net.parameters())


def test_dropout_masks_are_counted() -> None:
    maps = 2 * 4 * 4 * 4
    without, with_mask = (
        training_memory(
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(p)), torch.ones(2, 1, 6, 6)
        ).saved
        for p in (0.0, 0.5)
    )
    assert with_mask - without >= maps  # at least a byte for each value


def test_several_outputs_are_followed() -> None:
    with torch.device("meta"):
        pictures = torch.zeros(1, 3, 224, 224)
        heads = training_memory(models.build("googlenet"), pictures)
        none = training_memory(models.build("googlenet", aux_heads=False), pictures)
    assert heads.saved > none.saved


def test_live_bytes_fall_when_tensors_die() -> None:
    with LiveBytes() as live:
        first = torch.ones(1000)
        view = first[:10]
        del first
        assert live.now == 4000  # the view keeps the memory
        del view
        assert live.now == 0
    assert live.peak == 4000


def test_a_model_without_gradients_is_refused() -> None:
    frozen = nn.Conv2d(1, 1, 3).requires_grad_(False)
    with pytest.raises(ValueError, match="set requires_grad"):
        training_memory(frozen, torch.zeros(1, 1, 4, 4))
