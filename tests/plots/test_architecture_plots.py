from itertools import pairwise

import pytest
import torch
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from torch import nn
from torch.nn import functional

from course_utils import models
from course_utils.inspection.trace import Operation, Step, describe, list_steps
from course_utils.models.densenet import DenseBlock, DenseLayer
from course_utils.models.googlenet import Inception
from course_utils.models.highway import HighwayLinear
from course_utils.models.registry import input_shape
from course_utils.models.resnet import BasicBlock, Bottleneck
from course_utils.models.vgg import VGGBlock
from course_utils.plots import plot_architecture, plot_block
from course_utils.plots.graph import arrange, merge


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def patches(figure, kind):
    return [patch for patch in figure.axes[0].patches if type(patch) is kind]


BLOCKS = {
    "vgg": (lambda: VGGBlock(64, 128, "3 3"), (64, 112, 112)),
    "basic": (lambda: BasicBlock(64, 64), (64, 56, 56)),
    "projection": (lambda: BasicBlock(64, 128, stride=2), (64, 56, 56)),
    "zero padding": (lambda: BasicBlock(64, 128, 2, "A"), (64, 56, 56)),
    "plain": (lambda: BasicBlock(64, 64, residual=False), (64, 56, 56)),
    "bottleneck": (lambda: Bottleneck(256, 512, stride=2), (256, 56, 56)),
    "inception": (lambda: Inception(192, 64, (96, 128), (16, 32), 32), (192, 28, 28)),
    "dense layer": (lambda: DenseLayer(96, 32), [(64, 28, 28), (32, 28, 28)]),
    "dense block": (lambda: DenseBlock(16, 3, 12), (16, 32, 32)),
    "highway": (lambda: HighwayLinear(50), (50,)),
}


@pytest.fixture(params=BLOCKS)
def block(request):
    make, shape = BLOCKS[request.param]
    return make(), shape


# --- One block ---------------------------------------------------------------------------------


def test_a_vgg_block_is_a_line_of_boxes_with_a_size_on_every_arrow():
    figure = plot_block(VGGBlock(64, 128, "3 3"), (64, 112, 112), title="VGG block")
    shown = texts(figure)
    assert shown[0] == "VGG block"
    assert shown.count("3×3 conv, 128") == 2
    assert shown.count("max pool 2×2 /2") == 1
    sizes = ["64×112×112", "128×112×112", "128×112×112", "128×56×56"]
    assert [text for text in shown if text in sizes] == sizes
    assert len(patches(figure, FancyArrowPatch)) == len(sizes)


def test_the_shortcut_of_a_residual_block_is_a_line_of_its_own():
    figure = plot_block(BasicBlock(64, 64), (64, 56, 56))
    assert texts(figure).count("64×56×56") == 6  # in twice, between, out of it, shortcut, at ReLU
    assert len(patches(figure, Circle)) == 1
    assert "+" in texts(figure)


def test_a_projection_is_drawn_with_its_stride():
    shown = texts(plot_block(BasicBlock(64, 128, stride=2), (64, 56, 56)))
    assert {"3×3 conv, 128 /2", "1×1 conv, 128 /2", "64×56×56", "128×28×28"} <= set(shown)


def test_inception_puts_its_four_paths_side_by_side():
    figure = plot_block(Inception(192, 64, (96, 128), (16, 32), 32), (192, 28, 28))
    assert texts(figure).count("192×28×28") == 5  # to four paths, and after the pool
    first = [t for t in figure.axes[0].texts if t.get_text() in
             ("1×1 conv, 64", "1×1 conv, 96", "1×1 conv, 16", "max pool 3×3 /1")]  # fmt: skip
    assert len({round(t.get_position()[0], 3) for t in first}) == 4
    assert "256×28×28" in texts(figure)
    assert figure.get_figwidth() < 7.2


def test_a_highway_layer_shows_both_gates():
    shown = texts(plot_block(HighwayLinear(50), (50,)))
    assert shown.count("×") == 2
    assert {"σ", "1 − ·", "+", "linear, 50"} <= set(shown)


def test_a_dense_layer_takes_a_list_and_names_the_sizes_in_it():
    shown = texts(plot_block(DenseLayer(96, 32), [(64, 28, 28), (32, 28, 28)]))
    assert {"(64+32)×28×28", "concat", "96×28×28", "1×1 conv, 128", "32×28×28"} <= set(shown)


def test_the_input_of_a_dense_block_goes_to_every_layer_and_to_the_end():
    shown = texts(plot_block(DenseBlock(64, 4, 32), (64, 56, 56)))
    assert shown.count("3×3 conv, 32") == 4
    # Five arrows leave the input; in the first layer its concat and its norm hand it on.
    assert shown.count("64×56×56") == 7
    assert "192×56×56" in shown


def test_no_two_boxes_overlap_and_all_lie_within_the_figure(block):
    module, shape = block
    figure = plot_block(module, shape)
    boxes = [cell.get_bbox() for cell in patches(figure, Rectangle)]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0 and one.x1 <= figure.get_figwidth()
        assert one.y0 >= 0 and one.y1 <= figure.get_figheight()
        for other in boxes[i + 1 :]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0
            assert apart or one.y1 <= other.y0 + 1e-6 or other.y1 <= one.y0 + 1e-6


def test_no_text_leaves_the_figure(block):
    module, shape = block
    figure = plot_block(module, shape, title="A title")
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert extent.x0 >= page.x0 and extent.x1 <= page.x1, text.get_text()
        assert extent.y0 >= page.y0 and extent.y1 <= page.y1, text.get_text()


def test_no_size_stands_on_a_line_or_on_another_size(block):
    module, shape = block
    figure = plot_block(module, shape)
    figure.canvas.draw()
    to_pixels = figure.axes[0].transData
    lines = [to_pixels.transform_path(a._path_original) for a in patches(figure, FancyArrowPatch)]
    labels = [text for text in figure.axes[0].texts if text.get_ha() in ("left", "right")]
    assert len(labels) == len(lines)
    boxes = [text.get_window_extent() for text in labels]
    for i, box in enumerate(boxes):
        assert not any(line.intersects_bbox(box, filled=False) for line in lines)
        assert not box.count_overlaps(boxes[i + 1 :])


def test_drawing_changes_nothing_about_the_block():
    block = BasicBlock(8, 8)
    block.norm1.eval()
    before = {name: value.clone() for name, value in block.state_dict().items()}
    plot_block(block, (8, 6, 6))
    assert block.training and not block.norm1.training
    for name, value in block.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_wrong_input_is_answered_with_one_sentence():
    with pytest.raises(ValueError, match=r"BasicBlock cannot take an input of \(3, 8, 8\)"):
        plot_block(BasicBlock(8, 8), (3, 8, 8))
    with pytest.raises(ValueError, match=r"not made of positive integers: give \(C, H, W\)"):
        plot_block(BasicBlock(8, 8), (8, 0, 8))


def test_a_module_that_looks_at_values_is_refused():
    class Moody(nn.Module):
        def forward(self, x):
            return x if x.mean() > 0 else -x

    with pytest.raises(ValueError, match="Moody reads the values in its tensors"):
        plot_block(Moody(), (1, 2, 2))


# --- The steps and their places ----------------------------------------------------------------


def is_small(part):
    return not isinstance(part, nn.Sequential) and not list(part.children())


def test_norms_and_activations_join_the_step_before_them():
    steps = merge(list_steps(BasicBlock(4, 4), (4, 6, 6), is_small))
    inside = [tuple(operation.text for operation in step.operations) for step in steps]
    assert inside == [
        ("input",),
        ("3×3 conv, 4", "BN", "ReLU"),
        ("3×3 conv, 4", "BN"),
        ("+",),
        ("ReLU",),
        ("output",),
    ]
    assert [step.sources for step in steps] == [(), (0,), (1,), (2, 0), (3,), (4,)]


def test_what_does_nothing_is_left_out():
    net = nn.Sequential(nn.Identity(), nn.Dropout(0.0), nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(4))
    kinds = [step.kind for step in list_steps(net, (1, 4, 4), is_small)]
    assert kinds == ["input", "convolution", "output"]


def test_every_step_stands_below_its_sources_and_rows_do_not_overlap(block):
    module, shape = block
    steps = merge(list_steps(module, shape, is_small))
    rows, arrows = arrange(steps, lambda k, passing: (0.3, 0.5))
    row_of = {id(slot): i for i, row in enumerate(rows) for slot in row}
    for arrow in arrows:
        assert all(row_of[id(b)] == row_of[id(a)] + 1 for a, b in pairwise(arrow))
    for row in rows:
        assert all(b.x - a.x >= 0.8 - 1e-9 for a, b in pairwise(row))


def test_a_path_without_forks_runs_straight_down():
    steps = merge(list_steps(Bottleneck(64, 64), (64, 8, 8), is_small))
    rows, _ = arrange(steps, lambda k, passing: (0.3, 0.5))
    main = {slot.x for row in rows for slot in row if not slot.passing}
    assert len(main) == 1


def step(*sources, kind="other"):
    return Step((Operation("x", kind),), ((1, 1, 1),), sources)


def places(steps):
    """Where each step and each line that passes it stands: (row, step) -> x."""
    rows, _ = arrange(steps, lambda k, passing: (0.2, 0.2) if passing else (0.5, 0.5))
    return {(row, slot.step): slot.x for row, slots in enumerate(rows) for slot in slots}


def test_a_fork_and_a_join_stand_midway_between_their_paths():
    # 0 forks into the paths 1 and 2, each of one step, which 3 joins.
    x = places([step(), step(0), step(0), step(1, 2)])
    assert x[1, 2] - x[1, 1] == pytest.approx(1.0)  # as close as they may
    middle = (x[1, 1] + x[1, 2]) / 2
    assert x[0, 0] == pytest.approx(middle) and x[2, 3] == pytest.approx(middle)


def test_a_passing_line_hardly_pulls_at_the_steps_that_it_joins():
    # 0 forks into 1 and 2, and passes them on its way to 3, which joins all three: 50 to 1.
    x = places([step(), step(0), step(0), step(1, 2, 0)])
    paths, line = (x[1, 1], x[1, 2]), x[1, 0]
    wish = (sum(paths) + 0.02 * line) / 2.02
    assert line > max(paths) and wish > sum(paths) / 2
    assert x[0, 0] == pytest.approx(wish) and x[2, 3] == pytest.approx(wish)
    assert line - x[1, 2] == pytest.approx(0.7)  # no further away than there is need


class InPlace(nn.Module):
    """A layer that works in place, in one of several ways."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.conv, self.relu = nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.way(self, x)


def relu_then_both(self, x):
    self.relu(x)  # x itself is changed
    return self.conv(x) + x


def relu_and_before(self, x):
    y = self.conv(x)
    return self.relu(y) + y  # y is what the ReLU made of it


def of_a_part(self, x):
    left, right = x.chunk(2, dim=1)
    left.add_(right)
    return torch.cat([left, right], dim=1)


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        (relu_then_both, [("ReLU", (0,)), ("1×1 conv, 4", (1,)), ("+", (2, 1))]),
        (relu_and_before, [("1×1 conv, 4", (0,)), ("ReLU", (1,)), ("+", (2, 2))]),
        (of_a_part, [("chunk", (0,)), ("a part", (1,)), ("a part", (1,)), ("+", (2, 3)),
                     ("concat", (4, 3))]),
    ],
)  # fmt: skip
def test_what_works_in_place_is_what_later_steps_take(way, wanted):
    steps = list_steps(InPlace(way), (4, 8, 8), is_small)
    assert [(step.operations[0].text, step.sources) for step in steps[1:-1]] == wanted


def operator_on_a_part(self, x):
    left, _ = x.chunk(2, dim=1)
    left += 1
    return self.conv(x)


def method_on_a_part(self, x):
    left, _ = x.chunk(2, dim=1)
    left.relu_()
    return self.conv(x)


def through_a_view(self, x):
    y = self.conv(x)
    y.view(-1, 4, 64).relu_()
    return y


@pytest.mark.parametrize("way", [operator_on_a_part, method_on_a_part, through_a_view])
def test_no_arrow_is_left_out_where_a_part_is_written_to(way):
    with pytest.raises(ValueError, match=r"cannot be followed \(it writes into a part of a tensor"):
        plot_block(InPlace(way), (4, 8, 8))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Conv2d(4, 8, (1, 7), stride=(1, 2)), "1×7 conv, 8 /1×2"),
        (nn.Conv2d(4, 8, 5, groups=2), "5×5 conv, 8, 2 groups"),
        (nn.AvgPool2d(2), "average pool 2×2 /2"),
        (nn.GroupNorm(1, 4), "LN"),
        (nn.GroupNorm(2, 4), "GN"),
        (nn.Flatten(), "flatten"),
        (nn.LeakyReLU(), "LeakyReLU"),
    ],
)
def test_modules_are_named_as_the_field_does(module, text):
    assert describe(module).text == text


# --- A whole net -------------------------------------------------------------------------------


def sizes(figure):
    """The sizes under the blocks, from left to right."""
    shown = [t for t in figure.axes[0].texts if t.get_va() == "top"]
    return [text.get_text().replace("\n", "×") for text in shown]


def test_lenet_is_drawn_layer_by_layer():
    figure = plot_architecture(models.build("lenet5"), (1, 28, 28), title="LeNet-5")
    assert texts(figure)[0] == "LeNet-5"
    assert sizes(figure) == ["1×28×28", "6×28×28", "6×14×14", "16×10×10", "16×5×5", "120", "84",
                             "10"]  # fmt: skip
    heights = [block.get_height() for block in patches(figure, Rectangle)]
    assert heights[0] == heights[1] > heights[2] > heights[3] > heights[4] > heights[5]


def test_equal_layers_become_one_stage_with_their_number():
    net = models.build("vgg_small", in_channels=1)
    shown = texts(plot_architecture(net, (1, 28, 28)))
    assert {"2 × (3×3 conv, 128)", "2 × linear, 128"} <= set(shown)


def test_blocks_are_counted_by_stage():
    with torch.device("meta"):
        net = models.build("resnet34")
    shown = texts(plot_architecture(net, (3, 224, 224)))
    counts = [text for text in shown if text.endswith("Basic block")]
    assert counts == ["3 × Basic block", "4 × Basic block", "6 × Basic block", "3 × Basic block"]


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "googlenet", "resnet50", "densenet121"])
def test_large_nets_fit_the_width_of_a_notebook(name):
    with torch.device("meta"):
        net = models.build(name)
    figure = plot_architecture(net, input_shape(net), title=name)
    assert figure.get_figwidth() <= 7.3
    assert sizes(figure)[-1] == "1000"
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert extent.x0 >= 0 and extent.x1 <= figure.bbox.x1, text.get_text()
        assert extent.y0 >= 0 and extent.y1 <= figure.bbox.y1, text.get_text()


def test_stages_can_be_given_by_hand():
    figure = plot_architecture([("conv", (8, 10, 10)), ("head", (5,))], (3, 20, 20))
    assert sizes(figure) == ["3×20×20", "8×10×10", "5"]
    assert texts(figure)[::2] == ["input", "conv", "head"]


def test_named_stages_have_the_colours_of_their_kinds():
    stages = [(text, (8, 10, 10)) for text in ("stem", "3a", "pool", "classifier")]
    blocks = patches(plot_architecture(stages, (3, 20, 20)), Rectangle)
    assert len({block.get_facecolor() for block in blocks}) == 5  # and the input is white


def test_a_net_that_is_no_chain_or_too_long_is_refused():
    with pytest.raises(ValueError, match="BasicBlock is not a chain: draw it with plot_block"):
        plot_architecture(BasicBlock(4, 4), (4, 8, 8))
    with pytest.raises(ValueError, match="26 stages do not fit: give at most 20"):
        plot_architecture([("conv", (n, 4, 4)) for n in range(1, 26)], (3, 4, 4))


class Averages(nn.Module):
    """Means of every kind, and sums with a number in every form."""

    def forward(self, x):
        x = functional.adaptive_avg_pool2d(x.mean(1, keepdim=True) + x, 4)
        x = torch.add(x, other=1) * 2
        return functional.adaptive_avg_pool2d(x, 1), x.mean((2, 3))


def test_a_mean_is_named_by_the_map_that_it_leaves():
    shown = texts(plot_block(Averages(), (16, 8, 8)))
    assert shown.count("mean") == 1 and shown.count("average pool to 4×4") == 1
    assert shown.count("global average pool") == 2
    assert {"· + 1", "· × 2"} <= set(shown)


class Subsampled(nn.Module):
    """The shortcut without parameters, written as functions."""

    def forward(self, x):
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 16))


def test_indexing_and_padding_are_named_by_what_they_do():
    shown = texts(plot_block(Subsampled(), (16, 32, 32)))
    assert {"subsample /2", "pad with zeros"} <= set(shown)
    assert "getitem" not in shown
