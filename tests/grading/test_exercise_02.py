"""Exercise 02 accepts right answers in any style, and names what is wrong with the others.

Every fault that the exercise plants has been made, and reported, in public:

* bytes that fall below 0: https://github.com/waveform80/picamera/pull/263
* an order of pixels that meets the first channel only:
  https://github.com/understandable-machine-intelligence-lab/Quantus/issues/75
* images and labels in two different orders: https://github.com/xudonmao/VMT/issues/1
"""

import pytest

SLUG = "02_why_not_mlps"

WIDEST = """
def widest_hidden(shape, num_classes, budget):
    c, h, w = shape
    n, k = {n}, num_classes
    return {result}
"""


def widest(n="c * h * w", result="(budget - k) // (n + 1 + k)"):
    return WIDEST.format(n=n, result=result)


TRIED = """
def widest_hidden(shape, num_classes, budget):
    n, units = torch.empty(shape, device="meta").numel(), 1
    while (n + 1) * (units + 1) + (units + 2) * num_classes <= budget:
        units += 1
    return units
"""
BY_LAYERS = """
from course_utils.arithmetic import linear_parameters
def widest_hidden(shape, num_classes, budget):
    def fits(units):
        layers = linear_parameters(int(torch.Size(shape).numel()), units)
        return layers + linear_parameters(units, num_classes) <= budget
    low, high = 1, budget
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
"""
ORDER = """
def find_order(shuffle, height, width):
    places = torch.arange(height * width)
    image = torch.stack([{channels}]).byte().view(1, 3, height, width)
    {before}
    one, two, three = shuffle({shown}).flatten(2)[0].long()
    return {result}
"""


def order(
    channels="places // 256, places % 256, 0 * places",
    before="pass",
    shown="image",
    result="256 * one + two",
):
    return ORDER.format(channels=channels, before=before, shown=shown, result=result)


WITH_NUMPY = """
import numpy as np
def find_order(shuffle, height, width):
    codes = np.arange(height * width)
    rgb = np.stack([codes // 4096, codes // 64 % 64, codes % 64]).astype(np.uint8)
    seen = shuffle(torch.from_numpy(rgb.reshape(1, 3, height, width))).numpy().astype(int)[0]
    return torch.from_numpy(np.einsum("chw,c->hw", seen, [4096, 64, 1]).ravel())
"""
BY_LOOKING_UP = """
def find_order(shuffle, height, width):
    image = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    for row in range(height):
        for column in range(width):
            image[0, :2, row, column] = torch.tensor([row, column])
    rows, columns, _ = shuffle(image)[0].flatten(1).double()
    return (rows * width + columns).to(torch.int64)
"""
REPAIR = """
def prepare(images, order):
    x = {scaled}
    return {flat}

def make_batches(images, labels, size, generator):
    {drawn}
    return {batches}
"""
FLAT = "x.flatten(2)[:, :, order].flatten(1)"


def repair(
    scaled="images.float() / 127.5 - 1",
    flat=FLAT,
    drawn="some = torch.randperm(len(images), generator=generator).split(size)",
    batches="[(images[i], labels[i]) for i in some]",
):
    return REPAIR.format(scaled=scaled, flat=flat, drawn=drawn, batches=batches)


GATHERED = """
def prepare(images, order):
    columns = torch.cat([order + c * len(order) for c in range(images.shape[1])])
    flat = images.double().reshape(len(images), -1)
    return (flat.index_select(1, columns) / 127.5 - 1).to(torch.float32)

def make_batches(images, labels, size, generator):
    order = torch.rand(len(labels), generator=generator).argsort()
    images, labels = images.index_select(0, order), labels.index_select(0, order)
    starts = range(0, len(labels), size)
    return [(images[a : a + size], labels[a : a + size]) for a in starts]
"""
SAMPLED = """
from torch.utils.data import DataLoader, TensorDataset
def prepare(images, order):
    return torch.stack([torch.cat([c.flatten()[order] for c in image])
                        for image in images.float().sub(127.5).div(127.5)])

def make_batches(images, labels, size, generator):
    pairs = TensorDataset(images, labels)
    return list(DataLoader(pairs, size, shuffle=True, generator=generator))
"""
FIRST = 'predicted = "cover"'
EXPERIMENT = """
generator = torch.Generator().manual_seed(5)
config = ShapesConfig(position=0.0, background_correlation={rho})
drawn = make_shapes({number}, config, generator)
other = make_shapes({number}, config, generator, {other!r})
grey = torch.where(drawn.masks[:, None], 128, drawn.images)
control, swap = {control}, {swap}
cover = {cover}
measured = [[accuracy(net, *part) for net in nets] for part in (swap, cover)]
gaps = {gaps}
cheater = {cheater}
"""


def experiment(
    rho=1.0,
    number=300,
    other="swapped",
    control="(drawn.images, drawn.labels)",
    swap="(other.images, other.labels)",
    cover="(grey, drawn.labels)",
    gaps="[a - b for a, b in measured]",
    cheater="int(measured[0][0] > measured[0][1])",
):
    return EXPERIMENT.format(
        rho=rho, number=number, other=other, control=control, swap=swap, cover=cover, gaps=gaps,
        cheater=cheater,
    )  # fmt: skip


SURROUNDINGS = "(torch.where(drawn.masks[:, None], drawn.images, 128), drawn.labels)"
MEAN = (
    "(torch.where(drawn.masks[:, None], drawn.images.double().mean((2, 3), keepdim=True), "
    "drawn.images.double()).round().to(torch.uint8), drawn.labels)"
)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("widest", widest()),
        ("widest", TRIED),
        ("widest", BY_LAYERS),
        ("order", order()),
        ("order", WITH_NUMPY),
        ("order", BY_LOOKING_UP),
        ("repair", repair()),
        ("repair", GATHERED),
        ("repair", SAMPLED),
        ("experiment", experiment()),
        ("experiment", experiment(cover=SURROUNDINGS, number=1000)),
        ("experiment", experiment(cover=MEAN, gaps="tuple(a - b for a, b in measured)")),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


WIDEST_IS, ORDER_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("widest", "order", "repair", "experiment")
)
WRONG = [
    # What the check at home lets through.
    (WIDEST_IS, widest(n="c * h * h"), "the height as the width", True),
    (WIDEST_IS, widest(result="budget // (n + 1 + k)"), "you forget", True),
    (WIDEST_IS, widest(result="(budget - k - 1) // (n + 1 + k)"), "stay below the budget", True),
    (WIDEST_IS, widest(result="(budget - k) // (n + k)"), "you forget", True),
    (ORDER_IS, order(result="(256 * one + two).argsort()"), "where each pixel goes", True),
    (ORDER_IS, order("places, places, places", result="one"), "only 256 pixels apart", True),
    (ORDER_IS, order(before="shuffle(image)"), "shown: 2; calls: 2. Show one", True),
    (ORDER_IS, order(shown="image.repeat(2, 1, 1, 1)"), "shown: 2; calls: 1.", True),
    (ORDER_IS, order("places // height, places % height, places * 0", result="one * width + two"),
     "", True),
    (ORDER_IS, order(result="places"), "an image that was not shuffled", True),
    (ORDER_IS, order(shown="image.float()"), "expected uint8", True),
    (REPAIR_IS, repair(scaled="(images - 128) / 127.5"), "you subtract in uint8", True),
    (REPAIR_IS, repair(scaled="(images.float() - 128) / 127.5"), "not 127.5", True),
    (REPAIR_IS, repair(scaled="images.float() / 255"), "between 0 and 1", True),
    (REPAIR_IS, repair(scaled="images.double() / 127.5 - 1"), "not float32", True),
    (REPAIR_IS, repair(flat=FLAT.replace("order", "order.argsort()")), "the wrong way", True),
    (REPAIR_IS, repair(flat="x.flatten(2)[:, :, order].mT.flatten(1)"), "side by side", True),
    (REPAIR_IS, repair(flat="x.flatten(1).view(len(x), len(order), -1)[:, order].flatten(1)"),
     "groups of C neighbours", True),
    (REPAIR_IS, repair(flat="x.flatten(1)"), "you do not shuffle", True),
    (REPAIR_IS, repair(flat="x.flatten(1)[:, order.repeat(x.shape[1])]"), "from the first one",
     True),
    (REPAIR_IS, repair(batches="[(images[i], labels[j]) for i, j in zip(some, torch.randperm("
     "len(images), generator=generator).split(size))]"), "other images' labels", True),
    (REPAIR_IS, repair(drawn="some = torch.arange(len(images)).split(size)"),
     "in their original order", True),
    (REPAIR_IS, repair(drawn="some = torch.randperm(len(images), generator=torch.Generator()"
     ".manual_seed(1)).split(size)"), "Both epochs have the same order", True),
    (REPAIR_IS, repair(drawn="some = torch.randperm(len(images)).split(size)"),
     "does not come from the generator", True),
    (REPAIR_IS, repair(drawn="some = torch.randint(len(images), (len(images),), "
     "generator=generator).split(size)"), "exactly once", True),
    (REPAIR_IS, repair(scaled="images.float() / 127.5 - 1; images.zero_()"),
     "prepare changes the images", True),
    (REPAIR_IS, repair(batches="(lambda found: (images.zero_(), found)[1])([(images[i], labels[i]) "
     "for i in some])"), "make_batches changes the tensors", True),
    (REPAIR_IS, repair(drawn="some = torch.randperm(len(images), generator=generator).split(size)"
     "[:2]"), "Your batches have [5, 5] images", True),
    (EXPERIMENT_IS, experiment(cheater="int(measured[0][0] < measured[0][1])"),
     "looks at the figure", True),
    (EXPERIMENT_IS, experiment(gaps="[b - a for a, b in measured]"), "the other way round", True),
    (EXPERIMENT_IS, experiment(gaps="[a for a, b in measured]"), "accuracy of nets[0]", True),
    (EXPERIMENT_IS, experiment(gaps="[abs(a - b) / 2 for a, b in measured]"), "on your images",
     True),
    (EXPERIMENT_IS, experiment(control="(other.images, other.labels)"), "On your control", True),
    (EXPERIMENT_IS, experiment(other="same"), "apart: make them differ more", True),
    (EXPERIMENT_IS, experiment(cover="(drawn.images, drawn.labels)"), "apart: make them", True),
    (EXPERIMENT_IS, experiment(cover="swap"), "hold the same images", True),
    (EXPERIMENT_IS, experiment(swap="(grey, drawn.labels)"), "hold the same images", True),
    # What it finds.
    (WIDEST_IS, widest(n="h * w"), "you count one channel", False),
    (WIDEST_IS, widest(result="-(-(budget - k) // (n + 1 + k))"), "you round up", False),
    (WIDEST_IS, widest(result="(budget - k) / (n + 1 + k)"), "a whole number", False),
    (ORDER_IS, order(result="(256 * one + two).view(height, width)"), "expected (9,)", False),
    (ORDER_IS, order(result="one"), "lacks some of the numbers from 0", False),
    (REPAIR_IS, repair(flat="x.flatten(1)[:, order]"), "expected (4, 12)", False),
    (REPAIR_IS, repair(drawn="some = torch.randperm(len(images), generator=generator)[: -(len("
     "images) % size)].split(size)"), "expected [3, 1]", False),
    (EXPERIMENT_IS, experiment(number=100), "300 to 1,000 images", False),
    (EXPERIMENT_IS, experiment(cover="(grey.float(), drawn.labels)"), "expected uint8", False),
    (EXPERIMENT_IS, experiment(gaps="[100 * (a - b) for a, b in measured]"), "from -1 to 1", False),
    (EXPERIMENT_IS, experiment(gaps="[0.5]"), "gaps must be two", False),
    (EXPERIMENT_IS, experiment(gaps="(None, None)"), "gaps must be two", False),
    (EXPERIMENT_IS, experiment(cheater="nets[0]"), "the number of a net", False),
    (EXPERIMENT_IS, experiment(cheater="2"), "the number of a net", False),
    (EXPERIMENT_IS, experiment(gaps="[0.5, 0.1]", control="(drawn.images,)"), "must be a pair",
     False),
    (EXPERIMENT_IS, experiment(gaps="[0.5, 0.1]", control="(drawn.images, 5)"), "must be a pair",
     False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


@pytest.mark.parametrize("predicted", ["None", "'both'"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["swap", "cover"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    assert f"you predicted {predicted} and measured gaps of " in capsys.readouterr().out


def test_everybody_has_a_budget_an_order_and_nets(exercise, monkeypatch):
    space, budgets, orders = exercise.setup(), set(), set()
    places = space["torch"].arange(36).view(1, 1, 6, 6)
    for number in range(10):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        budgets.add(space["own_budget"](""))
        orders.add(tuple(space["own_shuffle"]("", 6, 6)(places).flatten().tolist()))
        assert len(space["own_nets"]("")) == 2
    assert len(budgets) == len(orders) == 10
