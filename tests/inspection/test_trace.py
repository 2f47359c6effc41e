"""A model is traced alike by `summary` and by `plot_block`, and neither touches it."""

import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm

from course_utils import models
from course_utils.inspection import summary
from course_utils.inspection.trace import without_storage
from course_utils.plots import plot_block


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))


def pruned() -> nn.Module:
    model = net()
    prune.l1_unstructured(model[0], "weight", amount=0.3)
    prune.random_structured(model[2], "weight", amount=0.5, dim=0)
    return model


def weight_normed() -> nn.Module:
    model = net()
    parametrizations.weight_norm(model[0])
    parametrizations.weight_norm(model[2])
    return model


def spectral_normed() -> nn.Module:
    model = net()
    spectral_norm(model[0])  # the old way, by a hook
    return model


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


class OwnConv(nn.Conv2d):
    """A layer of one's own, whose weights somebody computes."""


def parametrized() -> nn.Module:
    model = nn.Sequential(OwnConv(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    parametrize.register_parametrization(model[0], "weight", Doubled())
    return model


class OwnHook(nn.Module):
    """A module that prepares its input by a hook that is a method of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 8, 3)
        self.register_forward_pre_hook(self.twice)

    def twice(self, module: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (torch.cat([args[0], args[0]], dim=1),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def drawn_sizes(model: nn.Module) -> list[str]:
    """The sizes on the arrows of a block's picture, from top to bottom."""
    texts = plot_block(model, (3, 16, 16)).axes[0].texts
    return [text.get_text() for text in texts if "×1" in text.get_text()]


@pytest.mark.parametrize("make", [net, pruned, weight_normed, spectral_normed, parametrized])
def test_what_computes_the_weights_is_part_of_the_model(make) -> None:
    model = make()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    rows = {row.name: row for row in summary(model, (3, 16, 16)).rows}
    assert rows["0"].output_shape == (8, 14, 14) and rows["2"].output_shape == (4, 12, 12)
    assert rows["2"].multiply_adds == 4 * 8 * 9 * 144
    assert sum(r.parameters for r in rows.values()) == sum(p.numel() for p in model.parameters())
    assert {"8×14×14", "4×12×12"} <= set(drawn_sizes(model))
    shown = [text.get_text() for text in plot_block(model, (3, 16, 16)).axes[0].texts]
    assert "3×3 conv, 8" in shown and "3×3 conv, 4" in shown
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 4, 12, 12)  # and it still runs


def test_the_users_hooks_do_not_fire_and_are_kept() -> None:
    model, fired = pruned(), []

    def watch(*args: object, **kwargs: object) -> None:
        fired.append(args)

    for module in model.modules():
        module.register_forward_hook(watch)
        module.register_forward_hook(watch, with_kwargs=True, always_call=True)
        module.register_forward_pre_hook(watch)
        module.register_full_backward_hook(watch)
    kept = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    summary(model, (3, 16, 16))
    plot_block(model, (3, 16, 16))
    assert not fired
    assert kept == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    model(torch.zeros(1, 3, 16, 16))
    assert len(fired) == 3 * len(kept)


def test_a_hook_that_is_a_method_of_the_model_runs_on_the_copy() -> None:
    model = OwnHook()
    assert summary(model, (3, 16, 16)).rows[0].output_shape == (8, 14, 14)
    [hook] = without_storage(model)._forward_pre_hooks.values()
    assert hook.__self__ is not model
    assert {"6×16×16", "8×14×14"} <= set(drawn_sizes(model))  # pytorch/pytorch#105445
    assert {"6×16×16", "8×14×14"} <= set(drawn_sizes(nn.Sequential(model)))


def test_the_checks_of_the_courses_models_answer() -> None:
    model = models.build("vgg_small", in_channels=1, num_classes=2)
    for look in (summary, plot_block):
        with pytest.raises(ValueError, match="vgg_small was built for in_channels=1"):
            look(nn.Sequential(model), (3, 32, 32))
    plot_block(nn.Sequential(model), (1, 32, 32))


# --- What cannot be traced is refused in one sentence --------------------------------------------


class NanCheck(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.isnan(x).any():
            raise ArithmeticError("not a number")
        return x


class Positive(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0]


class Pair(nn.Module):
    def forward(self, image: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        return image + question


class Locked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Careless(nn.Module):
    """Makes a tensor without asking where."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.ones(3, 1, 1)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Sequential(nn.LazyConv2d(4, 3)), r"lazy layers, whose sizes .* \(0.weight\): run it"),
        (nn.Sequential(nn.LazyBatchNorm2d()), "lazy layers"),
        (Positive(), r"reads the values in its tensors.* remove that branch"),
        (Pair(), r"Pair takes 2 inputs \(image, question\), but gets one here: wrap it"),
        (Locked(), r"Locked cannot be copied \(.*lock.*\): ask about its parts"),
        (nn.ModuleList([nn.ReLU()]), "ModuleList cannot"),
        (nn.Linear(5, 5), r"Linear cannot take an input of .*3"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_same_models_are_refused_by_both(model: nn.Module, sentence: str) -> None:
    for look in (summary, plot_block):
        with pytest.raises(ValueError, match=sentence) as refusal:
            look(model, (3, 16, 16))
        assert "\n" not in str(refusal.value)


def test_a_branch_on_values_is_refused_by_both() -> None:
    for look in (summary, plot_block):
        with pytest.raises(ValueError, match="NanCheck reads the values in its tensors"):
            look(NanCheck(), (3, 16, 16))


def test_tensors_made_on_the_way_have_no_storage_either() -> None:
    assert summary(nn.Sequential(Careless()), (3, 8, 8)).rows[0].output_shape == (3, 8, 8)
    plot_block(Careless(), (3, 8, 8))


def test_sizes_may_be_integers_of_numpy_and_lists() -> None:
    for size in ((np.int64(3), np.int32(16), 16), [3, 16, 16], torch.Size((3, 16, 16))):
        found = summary(net(), size)
        assert found.input_size == (3, 16, 16)
        plot_block(net(), size)
