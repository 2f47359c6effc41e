"""Feature reuse, in blocks whose weights are set by hand."""

import math

import pytest
import torch

from course_utils import models
from course_utils.inspection import feature_reuse


def small(**switches: object) -> torch.nn.Module:
    return models.build("densenet_small", in_channels=1, num_classes=10, depth=16, **switches)


def test_there_is_a_map_for_each_block_with_the_paper_s_rows_and_columns() -> None:
    maps = feature_reuse(small())
    assert len(maps) == 3
    for found in maps:
        assert found.weights.shape == (3, 3)
        assert found.sources == ("input", "1", "2")
    assert [found.targets for found in maps] == [
        ("1", "2", "transition"),
        ("1", "2", "transition"),
        ("1", "2", "classifier"),
    ]


def test_a_layer_has_no_weight_for_itself_and_for_what_comes_later() -> None:
    later = torch.tensor([[False, False, False], [True, False, False], [True, True, False]])
    for found in feature_reuse(small()):
        assert torch.equal(found.weights.isnan(), later)


@pytest.mark.parametrize("model", ["densenet_small", "densenet40"])
def test_the_mean_runs_over_the_maps_of_one_source(model: str) -> None:
    net = models.build(model, in_channels=1, num_classes=10)
    block = net.blocks[0]
    inputs = block.layers[0].wide[0].num_features
    growth = block.layers[1].wide[0].num_features - inputs
    third = block.layers[2].wide[2] if model == "densenet_small" else block.layers[2].narrow[0]
    with torch.no_grad():
        third.weight.fill_(9.0)
        third.weight[:, :inputs] = -1.0
        third.weight[:, inputs : inputs + growth] = 2.0
        third.weight[:, inputs + growth - 1] = -6.0  # the last of the first layer's maps
    column = feature_reuse(net)[0].weights[:, 2]
    assert column[0] == 1.0
    assert column[1].item() == pytest.approx(2 + 4 / growth)
    assert column[2] == 9.0
    assert math.isnan(column[3])


def test_the_last_column_is_what_reads_the_finished_block() -> None:
    net = small()
    with torch.no_grad():
        net.blocks[1][2].weight.fill_(0.5)
        net.classifier.weight.fill_(-0.25)
    first, _, last = feature_reuse(net)
    assert first.weights[:, -1].tolist() == [0.5, 0.5, 0.5]
    assert last.weights[:, -1].tolist() == [0.25, 0.25, 0.25]


def test_relative_weights_have_one_in_each_column() -> None:
    found = feature_reuse(small())[0]
    relative = found.relative()
    assert relative.nan_to_num().amax(dim=0).tolist() == [1.0, 1.0, 1.0]
    torch.testing.assert_close(relative[0, 1] / relative[1, 1],
                               found.weights[0, 1] / found.weights[1, 1])  # fmt: skip


def test_a_column_of_zeros_stays_zero() -> None:
    net = small()
    torch.nn.init.zeros_(net.classifier.weight)
    assert feature_reuse(net)[2].relative()[:, -1].tolist() == [0.0, 0.0, 0.0]


def test_a_checkpointed_net_has_the_same_map() -> None:
    plain, efficient = small(), small(memory_efficient=True)
    efficient.load_state_dict(plain.state_dict())
    for one, other in zip(feature_reuse(plain), feature_reuse(efficient), strict=True):
        torch.testing.assert_close(one.weights, other.weights, equal_nan=True)


def test_other_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="is not a DenseNet: give one, such as"):
        feature_reuse(models.build("lenet5"))  # type: ignore[arg-type]
