"""Blocks are taken out, and come back to the bit."""

import pytest
import torch
from torch import Tensor, nn

from course_utils import models
from course_utils.inspection.ablation import Ablation, ablate, blocks, removable, without

PICTURE = torch.zeros(1, 1, 28, 28)


def small(**switches: str | bool) -> nn.Module:
    """A net of 14 layers: 2 blocks in each of 3 stages, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    built = models.build(
        "resnet_small", in_channels=1, num_classes=10, depth=14, generator=generator, **switches
    )
    return built.eval()


def images() -> Tensor:
    return torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_blocks_are_listed_in_order() -> None:
    assert blocks(small()) == [
        f"stages.{stage}.{block}" for stage in range(3) for block in range(2)
    ]
    assert blocks(nn.Linear(2, 2)) == []


def test_a_plain_block_that_changes_the_shape_cannot_go() -> None:
    plain, residual = small(residual=False), small()
    kept = ["stages.0.0", "stages.0.1", "stages.1.1", "stages.2.1"]
    assert removable(plain, blocks(plain), PICTURE) == kept
    assert removable(residual, blocks(residual), PICTURE) == blocks(residual)
    assert removable(plain, ["stem", "classifier"], PICTURE) == []


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_without_a_residual_block_its_shortcut_is_left(shortcut: str) -> None:
    model, x = small(shortcut=shortcut), images()
    for name in blocks(model):
        block = model.get_submodule(name)
        with torch.no_grad():
            before = block.norm2.weight.clone()
            block.norm2.weight.zero_()  # F(x) = 0, by its last scale
            wanted = model(x)
            block.norm2.weight.copy_(before)
            with without(model, name):
                torch.testing.assert_close(model(x), wanted)


def test_without_a_plain_block_the_next_sees_its_input() -> None:
    model, x = small(residual=False), images()
    by_hand = nn.Sequential(model.stem, model.stages[0][0], model.stages[1], model.stages[2])
    with torch.no_grad(), without(model, "stages.0.1"):
        torch.testing.assert_close(model(x), model.classifier(by_hand(x).mean(dim=(2, 3))))


def test_the_model_is_restored_to_the_bit() -> None:
    model, x = small(), images()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    parts = dict(model.named_modules())
    with torch.no_grad():
        before = model(x)
        ablate(model, lambda m: float(m(x).sum()), blocks(model))
        assert torch.equal(model(x), before)
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert dict(model.named_modules()) == parts


def test_the_model_is_restored_after_an_error() -> None:
    model = small()
    block = model.get_submodule("stages.1.1")
    with pytest.raises(RuntimeError, match="on purpose"), without(model, "stages.1.1"):
        assert model.get_submodule("stages.1.1") is not block
        raise RuntimeError("on purpose")
    assert model.get_submodule("stages.1.1") is block


def test_one_part_is_gone_at_a_time() -> None:
    model = small()
    found = ablate(model, lambda m: float(len(blocks(m))), blocks(model))
    assert found.whole == 6
    assert list(found.scores) == blocks(model)
    assert set(found.scores.values()) == {5.0}


def test_what_the_scores_say() -> None:
    found = Ablation(0.9, {"a": 0.8, "b": 0.2, "c": 0.8})
    assert found.mean_drop == pytest.approx(0.3)
    assert found.worst == "b"


@pytest.mark.parametrize("name", ["", "stages.9.9", "stages.0.0.nothing"])
def test_an_unknown_part_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no layer|cannot be"), without(small(), name):
        pass


def test_nothing_to_remove_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to remove"):
        ablate(small(), lambda m: 0.0, [])
