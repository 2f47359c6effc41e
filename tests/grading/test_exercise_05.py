"""Exercise 05 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* a 1 × 1 filter with a stride, which skips pixels:
  https://github.com/keras-team/keras-applications/issues/81
* one block repeated by `[block] * n`: https://github.com/yaoppeng/U-Net_v2/issues/10
"""

import pytest

SLUG = "05_channels_and_parameters"

PLAIN = """
def plain_weights(weight, groups):
    c_out, reads = weight.shape[:2]
    makes, c_in = c_out // groups, reads * groups
    found = torch.zeros(c_out, c_in, *weight.shape[2:])
    for g in range(groups):
        found[{rows}, {columns}] = {block}
    return {result}
"""
IN_A_ROW = {"rows": "g * makes:(g + 1) * makes", "columns": "g * reads:(g + 1) * reads"}


def plain(block="weight[g * makes:(g + 1) * makes]", result="found", **where):
    return PLAIN.format(block=block, result=result, **IN_A_ROW | where)


MASKED = """
def plain_weights(weight, groups):
    group = torch.arange(len(weight)) * groups // len(weight)
    channel = torch.arange(weight.shape[1] * groups) // weight.shape[1]
    mask = (group[:, None] == channel[None])[..., None, None]
    return weight.repeat(1, groups, 1, 1) * mask
"""
EINSUM = """
def plain_weights(weight, groups):
    blocks = weight.double().view(groups, -1, *weight.shape[1:])
    wide = torch.einsum("gh,gocpq->gohcpq", torch.eye(groups).double(), blocks)
    return wide.flatten(2, 3).flatten(0, 1)
"""
BY_IMPULSES = """
def plain_weights(weight, groups):
    k, c_in = weight.shape[-1], weight.shape[1] * groups
    impulses = torch.zeros(c_in, c_in, 2 * k - 1, 2 * k - 1)
    impulses[range(c_in), range(c_in), k - 1, k - 1] = 1
    return F.conv2d(impulses, weight, groups=groups).flip(2, 3).transpose(0, 1)
"""
DESIGN = """
def design(side, num_classes, max_parameters, max_multiply_adds):
    a = {filters}
    hidden = {hidden}
    return {result}
"""
LAYERS = (
    "nn.Sequential(nn.Conv2d(3, a, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),"
    " nn.Flatten(), nn.Linear(a, hidden), nn.ReLU(), nn.Linear(hidden, {classes}))"
)


def design(
    filters="(max_multiply_adds - max_parameters) // (27 * side ** 2)",
    hidden="(max_parameters - 28 * a - num_classes) // (a + 1 + num_classes)",
    classes="num_classes",
    result=LAYERS,
):
    result = result.format(classes=classes)
    return DESIGN.format(filters=filters, hidden=hidden, result=result)


CLASS_WITH_SEARCH = """
class Net(nn.Module):
    def __init__(self, filters, hidden, num_classes):
        super().__init__()
        self.look = nn.Conv2d(3, filters, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.think = nn.Linear(4 * filters, hidden)
        self.say = nn.Linear(hidden, num_classes)

    def forward(self, x):
        maps = F.adaptive_avg_pool2d(F.relu(self.norm(self.look(x))), 2)
        return self.say(self.think(maps.flatten(1)).tanh()).log_softmax(dim=1)

def design(side, num_classes, max_parameters, max_multiply_adds):
    filters = int(0.97 * (max_multiply_adds - max_parameters) / 75 / side ** 2)
    hidden = 1
    while True:
        wider = Net(filters, hidden + 1, num_classes)
        cost = summary(wider.eval(), (3, side, side))
        if cost.parameters > max_parameters or cost.multiply_adds > max_multiply_adds:
            return Net(filters, hidden, num_classes)
        hidden += 1
"""
FUNCTIONAL = """
class Net(nn.Module):
    def __init__(self, *shapes):
        super().__init__()
        self.all = nn.ParameterList(0.1 * torch.randn(shape).double() for shape in shapes)

    def forward(self, images):
        kernels, up, down = self.all
        maps = F.conv2d(images.double(), kernels, padding="same").clamp(min=0)
        return torch.einsum("nc,hc,hk->nk", maps.mean(dim=(-2, -1)), up, down)

def design(side, num_classes, max_parameters, max_multiply_adds):
    a = 1
    while 27 * side ** 2 * (a + 1) + max_parameters - 27 * (a + 1) <= max_multiply_adds:
        a += 1
    hidden = (max_parameters - 27 * a) // (a + num_classes)
    return Net((a, 3, 3, 3), (hidden, a), (hidden, num_classes))
"""
REPAIR = """
def block(channels, reduced, groups, stride=1):
    return nn.Sequential(
        nn.Conv2d(channels, reduced, 1, {first}), {relu},
        nn.Conv2d(reduced, reduced, 3, padding=1, {middle}), {relu_2},
        nn.Conv2d(reduced, channels, 1, {last}), {relu_3},
    )

def net(channels, reduced, groups, num_blocks):
    return nn.Sequential({blocks})
"""
HALVING = "block(channels, reduced, groups, 2)"
EACH = f"{HALVING}, *(block(channels, reduced, groups) for _ in range(num_blocks - 1))"


def repair(
    first="",
    middle="groups=groups, stride=stride",
    last="",
    relu="nn.ReLU()",
    relu_2="nn.ReLU()",
    relu_3="nn.ReLU()",
    blocks=EACH,
):
    return REPAIR.format(
        first=first, middle=middle, last=last, relu=relu, relu_2=relu_2, relu_3=relu_3,
        blocks=blocks,
    )  # fmt: skip


CLASSES = """
class Block(nn.Module):
    def __init__(self, channels, reduced, groups, stride):
        super().__init__()
        self.widen = nn.Conv2d(reduced, channels, kernel_size=(1, 1))
        self.look = nn.Conv2d(reduced, reduced, 3, stride, 1, groups=groups)
        self.reduce = nn.Conv2d(channels, reduced, kernel_size=(1, 1))

    def forward(self, x):
        return F.relu(self.widen(F.relu(self.look(F.relu(self.reduce(x))))))

class Net(nn.Module):
    def __init__(self, *sizes, num_blocks):
        super().__init__()
        self.blocks = nn.ModuleList(Block(*sizes, 1 + (i == 0)) for i in range(num_blocks))

    def forward(self, x):
        for each in self.blocks:
            x = each(x)
        return x

def block(channels, reduced, groups, stride=1):
    return Block(channels, reduced, groups, stride)

def net(channels, reduced, groups, num_blocks):
    return Net(channels, reduced, groups, num_blocks=num_blocks)
"""
COPIED = """
import copy
def block(channels, reduced, groups, stride=1):
    layers = broken_block(channels, reduced, groups)
    layers[0], layers[4] = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)
    layers[2].stride = (stride, stride)
    return layers

def net(channels, reduced, groups, num_blocks):
    made = broken_net(channels, reduced, groups, 1, block)
    further = block(channels, reduced, groups)
    made.extend(copy.deepcopy(further) for _ in range(1, num_blocks))
    return made
"""
BY_HAND = """
class Block(nn.Module):
    def __init__(self, c, r, g, s):
        super().__init__()
        self.g, self.s = g, s
        shapes = (r, c, 1, 1), (r,), (r, r // g, 3, 3), (r,), (c, r, 1, 1), (c,)
        self.numbers = nn.ParameterList(torch.randn(shape) / 9 for shape in shapes)

    def forward(self, x):
        up, b_up, look, b_look, down, b_down = self.numbers
        x = (torch.einsum("nchw,rc->nrhw", x, up[:, :, 0, 0]) + b_up[:, None, None]).clamp(min=0)
        parts = zip(x.chunk(self.g, 1), look.chunk(self.g))
        x = torch.cat([F.conv2d(*part, stride=self.s, padding=1) for part in parts], dim=1)
        x = (x + b_look[:, None, None]).clamp(min=0)
        x = torch.einsum("nrhw,cr->nchw", x, down[:, :, 0, 0])
        return (x + b_down[:, None, None]).clamp(min=0)

def block(channels, reduced, groups, stride=1):
    return Block(channels, reduced, groups, stride)

def net(channels, reduced, groups, num_blocks):
    layers = nn.Sequential()
    while len(layers) < num_blocks:
        layers.append(Block(channels, reduced, groups, 1 if len(layers) else 2))
    return layers
"""
BY_PIXEL = """
class Mix(nn.Linear):
    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)

def block(channels, reduced, groups, stride=1):
    look = nn.Conv2d(reduced, reduced, 3, stride, 1, groups=groups)
    up, down = Mix(channels, reduced), Mix(reduced, channels)
    return nn.Sequential(up, nn.ReLU(), look, nn.ReLU(), down, nn.ReLU())

def net(channels, reduced, groups, num_blocks):
    strides = [2, *[1] * (num_blocks - 1)]
    return nn.Sequential(*(block(channels, reduced, groups, each) for each in strides))
"""
FIRST = 'predicted = "both"'
EXPERIMENT = """
measured = {{
    ("first", "towers"): {first_towers}, ("first", "shuffled"): [0.99, 0.98, 0.985],
    ("same", "towers"): {towers}, ("same", "shuffled"): {shuffled},
}}
lost, error = {{}}, {{}}
for asked in ("first", "same"):
    towers, shuffled = (
        torch.tensor(measured[asked, each], dtype=torch.float64) for each in ("towers", "shuffled")
    )
    gaps = shuffled - towers
    lost[asked], error[asked] = {lost}, {error}
"""


ROUNDED_OTHERWISE = """
with torch.backends.mkldnn.flags(enabled=False):  # other kernels add in another order
    reached = pair_accuracy(classes, width, "same", "shuffled", seed=0)
measured["same", "shuffled"][0] = reached
lost["same"] = (reached + 0.95 + 0.97 - 0.5 - 0.53 - 0.49) / 3
gaps = torch.tensor([reached - 0.5, 0.95 - 0.53, 0.97 - 0.49], dtype=torch.float64)
error["same"] = (gaps.std() / 3**0.5).item()
"""


def experiment(
    first_towers="[0.98, 1.0, 0.97]",
    towers="[0.5, 0.53, 0.49]",
    shuffled="[0.98, 0.95, 0.97]",
    lost="gaps.mean().item()",
    error="(gaps.var() / 3).sqrt().item()",
):
    return EXPERIMENT.format(
        first_towers=first_towers, towers=towers, shuffled=shuffled, lost=lost, error=error
    )


BY_STATISTICS = """
import statistics
measured = dict.fromkeys([("same", "shuffled"), ("same", "towers")], (0.5, 0.55, 0.53))
measured["same", "shuffled"] = (0.97, 0.91, 0.96)
measured |= {("first", "shuffled"): (0.97, 0.98, 0.97), ("first", "towers"): (0.97, 0.98, 0.97)}
gaps = {each: [b - a for a, b in zip(measured[each, "towers"], measured[each, "shuffled"])]
        for each in ("same", "first")}
lost = {each: statistics.mean(found) for each, found in gaps.items()}
error = {each: statistics.stdev(found) / 3 ** 0.5 for each, found in gaps.items()}
"""
WITH_NUMPY = """
import numpy as np
table = np.array([[[0.96, 0.99, 0.97], [0.98, 0.97, 0.99]], [[0.51, 0.49, 0.6], [0.99, 0.83, 0.9]]])
gaps = table[:, 1] - table[:, 0]
measured = {(asked, wiring): table[i, j].tolist() for i, asked in enumerate(["first", "same"])
            for j, wiring in enumerate(["towers", "shuffled"])}
lost = dict(zip(["first", "same"], gaps.mean(axis=1).tolist()))
error = dict(zip(["first", "same"], (gaps.std(axis=1, ddof=1) / np.sqrt(3)).tolist()))
"""
ONE_BY_ONE = """
measured, lost, error = {}, {}, {}
towers, shuffled = torch.tensor([0.97, 0.95, 0.96]), torch.tensor([0.975, 0.955, 0.955])
measured["first", "towers"], measured["first", "shuffled"] = towers.tolist(), shuffled.tolist()
lost["first"] = float((shuffled - towers).mean())
error["first"] = float((shuffled - towers).std() / torch.tensor(3.0).sqrt())
towers, shuffled = torch.tensor([0.5, 0.51, 0.5]), torch.tensor([0.96, 0.51, 0.95])
measured["same", "towers"], measured["same", "shuffled"] = towers.tolist(), shuffled.tolist()
lost["same"] = float(shuffled.mean() - towers.mean())
error["same"] = float((shuffled - towers - lost["same"]).square().sum().div(2).sqrt() / 3 ** 0.5)
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("plain", plain()),
        ("plain", MASKED),
        ("plain", EINSUM),
        ("plain", BY_IMPULSES),
        ("design", design()),
        ("design", CLASS_WITH_SEARCH),
        ("design", FUNCTIONAL),
        ("repair", repair()),
        ("repair", CLASSES),
        ("repair", COPIED),
        ("repair", BY_HAND),
        ("repair", BY_PIXEL),
        ("experiment", experiment()),
        ("experiment", BY_STATISTICS),
        ("experiment", WITH_NUMPY),
        ("experiment", ONE_BY_ONE),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


@pytest.mark.filterwarnings("ignore:TF32")
def test_accuracies_of_a_machine_that_rounds_otherwise_pass(exercise):
    source = experiment() + ROUNDED_OTHERWISE
    exercise.assert_passes(prediction=FIRST, experiment=source)


PLAIN_IS, DESIGN_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("plain", "design", "repair", "experiment")
)
IDLE = (
    "nn.ModuleDict(dict(spare=nn.Linear(hidden - 1, a), net="
    "nn.Sequential(nn.Conv2d(3, a, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),"
    " nn.Flatten(), nn.Linear(a, num_classes))))"
)
UNUSED = f"""
class Idle(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        return self.parts["net"](x)
{design(result=f"Idle({IDLE})")}"""
FILLED = """
class Filled(nn.Module):
    def __init__(self, a, num_classes, num_more):
        super().__init__()
        self.look, self.say = nn.Conv2d(3, a, 3, padding=1), nn.Linear(a, num_classes)
        self.more = nn.Parameter(torch.ones(num_more))

    def forward(self, x):
        return self.say(self.look(x).relu().mean(dim=(2, 3))) + {factor} * self.more.sum()

def design(side, num_classes, max_parameters, max_multiply_adds):
    a = int(0.95 * max_multiply_adds / 27 / side ** 2)
    return Filled(a, num_classes, max_parameters - 28 * a - num_classes * (a + 1))
"""
SHARED = f"{HALVING}, *[block(channels, reduced, groups)] * (num_blocks - 1)"
ALL_SHARED = "nn.MaxPool2d(2), *[block(channels, reduced, groups)] * num_blocks"
WRONG = [
    # What the check at home lets through.
    (PLAIN_IS, plain(columns="g::groups"), "deal the channels out", True),
    (PLAIN_IS, plain(rows="slice(g, None, groups)", block="weight[g::groups]"),
     "deal the filters out", True),
    (PLAIN_IS, plain(result="found.flip(2, 3)"), "you flip the kernels", True),
    (PLAIN_IS, plain(result="found.mT"), "swap rows and columns", True),
    (PLAIN_IS, plain(block="weight[g]"), "differs", True),
    (DESIGN_IS, design(classes="your_brief(student_id)[1]"), "for two images", True),
    (DESIGN_IS, design(filters="(max_multiply_adds - max_parameters) "
                       "// (27 * your_brief(student_id)[0] ** 2)"), "multiply-adds: ", True),
    (DESIGN_IS, design(hidden="(your_brief(student_id)[2] - 28 * a) // (a + 1 + num_classes)"),
     "parameters: ", True),
    (DESIGN_IS, "def design(side, num_classes, p, work):\n"
     "    assert side == your_brief(student_id)[0], 'another side'\n"
     "    a = (work - p) // (27 * side ** 2)\n"
     "    hidden = (p - 28 * a - num_classes) // (a + 1 + num_classes)\n"
     "    return " + LAYERS.format(classes="num_classes"), "another side", True),
    (DESIGN_IS, design(hidden="(max_parameters - 28 * a - num_classes) // (a + 1 + num_classes)"
                       " if side in (32, your_brief(student_id)[0]) else 16"),
     "less than nine tenths", True),
    (REPAIR_IS, repair().replace("3, padding=1,", "(1, 9), padding=(0, 4),"),
     "parameters of your net do not have the shapes", True),
    (REPAIR_IS, repair(first="stride=stride", middle="groups=groups"), "with the first 1 × 1",
     True),
    (REPAIR_IS, repair(last="stride=stride", middle="groups=groups"), "after the 3 × 3", True),
    (REPAIR_IS, repair(first="groups=groups", last="groups=groups"), "1 × 1 filters groups, too",
     True),
    (REPAIR_IS, repair(middle="stride=stride"), "the 3 × 3 filters no groups", True),
    (REPAIR_IS, repair(blocks=SHARED), "after the first share their weights", True),
    (REPAIR_IS, repair("groups=groups", last="groups=groups", blocks=SHARED),
     "the 1 × 1 filters have groups", True),
    (REPAIR_IS, repair(blocks=ALL_SHARED), "all blocks share their weights", True),
    (REPAIR_IS, repair(relu="nn.Identity()"), "the first ReLU", True),
    (REPAIR_IS, repair(relu_2="nn.Identity()"), "the second ReLU", True),
    (REPAIR_IS, repair(relu_3="nn.Identity()"), "the last ReLU", True),
    (REPAIR_IS, repair(*["bias=False", "groups=groups, stride=stride, bias=False", "bias=False"]),
     "you leave out the biases", True),
    (REPAIR_IS, repair(first="groups=groups"), "one of the two 1 × 1 layers", True),
    (REPAIR_IS, repair(last="groups=groups"), "one of the two 1 × 1 layers", True),
    (EXPERIMENT_IS, experiment(shuffled="[0.9, 0.97, 0.94]"), "not 0.90: did you train it?", True),
    (EXPERIMENT_IS, experiment(towers="[0.9, 0.95, 0.93]"), "Towers cannot reach 95.0%", True),
    (EXPERIMENT_IS, experiment(lost="-gaps.mean().item()"), "from the towers'", True),
    (EXPERIMENT_IS, experiment(lost="gaps.sum().item()"), "you add the differences", True),
    (EXPERIMENT_IS, experiment(lost="gaps.median().item()"), "you take the median", True),
    (EXPERIMENT_IS, experiment(lost="0.45"), "does not follow from your lists", True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="gaps.std(correction=0).item() / 3 ** 0.5"), "not by n - 1",
     True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item() / 3"), "not by its square root", True),
    (EXPERIMENT_IS, experiment(error="gaps.var().item() / 3"), "variance of the mean", True),
    (EXPERIMENT_IS, experiment(error="((towers.var() + shuffled.var()) / 3).sqrt().item()"),
     "as unrelated", True),
    # What it finds.
    (PLAIN_IS, plain(result="weight.repeat(1, groups, 1, 1)"), "with the same kernels", False),
    (PLAIN_IS, plain(columns=":reads"), "read the first group", False),
    (PLAIN_IS, plain(result="weight"), "the weights unchanged", False),
    (PLAIN_IS, plain(result="0 * found"), "you leave all weights at 0", False),
    (PLAIN_IS, plain(result="found[0]"), "expected (2, 2, 1, 1)", False),
    (DESIGN_IS, design(filters="max_multiply_adds // (27 * side ** 2)"), "are allowed", False),
    (DESIGN_IS, design(filters="16"), "less than nine tenths", False),
    (DESIGN_IS, design(hidden="16"), "less than nine tenths", False),
    (DESIGN_IS, design(hidden="max_parameters // a"), "parameters: at most", False),
    (DESIGN_IS, UNUSED, "take no part", False),
    (DESIGN_IS, FILLED.format(factor=0), "take no part", False),
    (DESIGN_IS, FILLED.format(factor=1), "take no part", False),
    (DESIGN_IS, design(classes="10"), "for two images", False),
    (DESIGN_IS, design(result="(a, hidden)"), "Return an nn.Module, not tuple", False),
    (REPAIR_IS, repair(blocks="broken_net(channels, reduced, groups, num_blocks)[1]"),
     "into (2, 16, 12, 12)", False),
    (REPAIR_IS, repair(middle="groups=groups"), "Your block turns", False),
    (REPAIR_IS, repair(blocks=EACH.replace("reduced, groups)", "reduced, groups, 2)")),
     "Your net turns", False),
    (REPAIR_IS, repair("stride=stride"), "Your block turns", False),
    (REPAIR_IS, repair() + "\nnet = lambda *sizes: sizes", "net must return an nn.Module", False),
    (EXPERIMENT_IS, experiment() + "\nmeasured['same', 'shuffled'].pop()",
     "must have three accuracies", False),
    (EXPERIMENT_IS, experiment(towers="[0.0, 0.0, 0.0]"), "accuracies of trained nets", False),
    (EXPERIMENT_IS, experiment(towers="[50.0, 53.0, 49.0]"), "accuracies of trained", False),
    (EXPERIMENT_IS, experiment(error="gaps.std() / 3 ** 0.5"), "a Python float", False),
    (EXPERIMENT_IS, experiment() + "\ndel measured['same', 'towers']", "with the keys", False),
    (EXPERIMENT_IS, experiment() + "\nlost = lost['same']", "lost must be a dictionary", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_an_answer_to_one_brief_alone_earns_nothing(exercise):
    space = exercise.setup()
    side, num_classes, *budgets = space["your_brief"]("")
    exec(design(), space)
    made = space["design"](side, num_classes, *budgets)
    a, hidden = made[0].out_channels, made[4].out_features
    exercise.assert_rejects("design_check", design(filters=str(a), hidden=str(hidden)), "uses")
    assert exercise.seen["design_check"]


@pytest.mark.parametrize("predicted", ["None", "'all'"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["first", "same", "both", "neither"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    said = "measured +0.002 ± 0.011 (first), +0.460 ± 0.020 (same)"
    assert f"you predicted {predicted} and {said}" in capsys.readouterr().out


def test_the_faults_show_in_the_symptoms(exercise):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)
    count, pixels, maps = space["symptoms"](space["broken_net"](16, 8, 4, 4))
    assert count == 480 and int(pixels.sum()) == 36 and int(maps.sum()) == 64
    count, pixels, maps = space["symptoms"](space["net"](16, 8, 4, 4))
    assert count == 1728 and int(pixels.sum()) == 144 and int(maps.sum()) == 256


def test_towers_lose_where_both_images_are_needed_and_nowhere_else(exercise):
    space = exercise.setup()
    found = {
        (asked, wiring): space["pair_accuracy"]((1, 9), 24, asked, wiring, seed=0)
        for asked in ("first", "same")
        for wiring in ("towers", "shuffled")
    }
    assert abs(found["first", "towers"] - found["first", "shuffled"]) < 0.05
    assert found["same", "towers"] < 0.7 and found["same", "shuffled"] > 0.8


def test_everybody_has_a_brief_that_can_be_fulfilled_and_a_pair(exercise, monkeypatch):
    space, briefs, pairs = exercise.setup(), set(), set()
    exec(design(), space)
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        brief = space["your_brief"]("")
        found = space["summary"](space["design"](*brief), (3, brief[0], brief[0]))
        assert 0.9 * brief[2] <= found.parameters <= brief[2]
        assert 0.9 * brief[3] <= found.multiply_adds <= brief[3]
        briefs.add(brief)
        (one, other), width = space["own_pair"]("")
        assert one != other and width % 4 == 0
        pairs.add((one, other, width))
    assert len(briefs) == 20 and len(pairs) >= 12
