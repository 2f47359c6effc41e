"""Exercise 06 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* a map that should follow a turn, and does not near its border or after a stride:
  https://github.com/danielewworrall/harmonicConvolutions/issues/5
* images on a ring, padded as if they had a border:
  https://github.com/huggingface/diffusers/pull/4025
* the same in the convolutions of a ResNet: https://github.com/WatChMaL/WatChMaL/pull/64
"""

import pytest

SLUG = "06_equivariance_and_fourier"

TURNED = """
def in_all_directions(layer, x):
    outputs = [{output} for k in {turns}]
    return {result}
"""


def turned(output="layer(x.rot90(k, (2, 3))).rot90(-k, (2, 3))", turns="range(4)",
           result="sum(outputs) / 4"):  # fmt: skip
    return TURNED.format(output=output, turns=turns, result=result)


TRANSPOSED = """
def in_all_directions(layer, x):
    a = layer(x) + layer(x.flip(2, 3)).flip(2, 3)
    b = layer(x.transpose(2, 3).flip(2)).flip(2).transpose(2, 3)
    c = layer(x.transpose(2, 3).flip(3)).flip(3).transpose(2, 3)
    return (a + b + c) * 0.25
"""
BATCHED = """
def in_all_directions(layer, x):
    turns = torch.cat([torch.rot90(x.double(), k, (-2, -1)).float() for k in range(4)])
    parts = layer(turns).chunk(4)
    return torch.stack([torch.rot90(p, 4 - k, (-2, -1)) for k, p in enumerate(parts)]).mean(0)
"""
BREAKING = """
def breaking(net, x):
    found = []
    for number, layer in enumerate(net):
        after = {after}
        gap = layer(x.roll({by}, (2, 3))) - after.roll({by}, (2, 3))
        if {broken}:
            found.append(number)
        x = {then}
    return {result}
"""


def breaking(after="layer(x)", by="(1, 1)", broken="gap.abs().max() > 1e-3", then="after",
             result="found"):  # fmt: skip
    return BREAKING.format(after=after, by=by, broken=broken, then=then, result=result)


PREFIXES = """
def breaking(net, x):
    inputs = [x]
    for layer in net:
        inputs.append(layer(inputs[-1]))
    T = lambda t: t.roll((-1, 3), (2, 3))
    return tuple(n for n, (a, b) in enumerate(zip(inputs, inputs[1:]))
                 if not torch.allclose(net[n](T(a)), T(b), atol=1e-3))
"""
NOISE = """
def breaking(net, x):
    net = copy.deepcopy(net).double()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(3)).double()
    shifts = [(1, 0), (0, 1), (3, 5)]
    return {n for n, f in enumerate(net) if any(
        (f(noise.roll(s, (2, 3))) - f(noise).roll(s, (2, 3))).norm() > 1e-6 for s in shifts)}
"""
CUMULATIVE = """
def breaking(net, x):
    return [n for n in range(len(net)) if not torch.allclose(
        net[:n + 1](x.roll((1, 1), (2, 3))), net[:n + 1](x).roll((1, 1), (2, 3)), atol=1e-3)]
"""
BY_TYPE = """
def breaking(net, x):
    return [n for n, f in enumerate(net) if getattr(f, "padding_mode", "") == "zeros"]
"""
BY_KIND = """
def breaking(net, x):
    broken = nn.Sequential, nn.MaxPool2d, nn.LayerNorm
    return [n for n, f in enumerate(net) if isinstance(f, broken)
            or getattr(f, "padding_mode", "circular") != "circular"]
"""
REPAIR = """
def repair(net):
    layers = []
    for layer in {net}:
        if isinstance(layer, nn.Conv2d) and {chosen}:
            layer.padding_mode = "circular"
        elif isinstance(layer, nn.MaxPool2d):
            layer = {pool}
        layers.append(layer)
    return nn.Sequential(*layers)
"""


def repair(net="copy.deepcopy(net)", chosen="True",
           pool="nn.Sequential(nn.CircularPad2d(1), nn.MaxPool2d(3, 1))"):  # fmt: skip
    return REPAIR.format(net=net, chosen=chosen, pool=pool)


AROUND = """
def repair(net):
    return lambda x: F.pad(net(F.pad(x, ({width},) * 4, mode="{mode}")), (-{width},) * 4)
"""


def around(width=8, mode="circular"):
    return AROUND.format(width=width, mode=mode)


TILED = """
class Tiled(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        h, w = x.shape[2:]
        return self.net(x.repeat(1, 1, 3, 3))[:, :, h:2 * h, w:2 * w]

def repair(net):
    return Tiled(net)
"""
UNDO = """
def undo(y, kernel):
    K, Y = torch.fft.fft2(kernel, s={size}), torch.fft.fft2(y)
    return {result}
"""


def undo(result="torch.fft.ifft2(Y / K.conj()).real", size="y.shape"):
    return UNDO.format(result=result, size=size)


SOLVED = """
def undo(y, kernel):
    H, W = y.shape
    pixels = torch.eye(H * W).double().view(-1, H, W)
    k = range(len(kernel))
    made = sum(float(kernel[i, j]) * pixels.roll((-i, -j), (1, 2)) for i in k for j in k)
    return torch.linalg.solve(made.flatten(1).T, y.double().flatten()).view(H, W)
"""
FLIPPED = """
def undo(y, kernel):
    H, W = y.shape
    padded = torch.zeros(H, W, dtype=torch.float64)
    for i in range(len(kernel)):
        for j in range(len(kernel)):
            padded[-i % H, -j % W] += kernel[i, j]
    return torch.fft.irfft2(torch.fft.rfft2(y.double()) / torch.fft.rfft2(padded), s=y.shape)
"""
EXPERIMENT = """
def ruler(layer, x, rows):
    out = layer(x)
    gap = {gap}
    return float({ratio})

errors = {errors}
measured = {measured}
"""
GAP = "layer(shift(x, rows)) - shift(out, rows / 2)"
RATIO = "gap.norm() / (out - out.mean()).norm()"
ERRORS = "{n: ruler(f, image, 1) for n, f in HALVINGS.items()}"
FACTOR = "errors['keep every second'] / errors['blur, then halve']"


def experiment(gap=GAP, ratio=RATIO, errors=ERRORS, measured=FACTOR):
    return EXPERIMENT.format(gap=gap, ratio=ratio, errors=errors, measured=measured)


WITH_NUMPY = """
import numpy as np

def ruler(layer, x, rows):
    out = layer(x)
    after, expected = layer(shift(x, rows)).numpy(), shift(out, rows / 2).numpy()
    return np.sqrt(((after - expected) ** 2).sum() / (out.numpy().var() * out.numel()))

errors = {n: ruler(f, image, 1) for n, f in HALVINGS.items()}
measured = errors["keep every second"] / errors["blur, then halve"]
"""
TWO_MOVED = """
def ruler(layer, x, rows):
    out = layer(x).double() - layer(x).mean()
    u = torch.fft.fftfreq(out.shape[-2]).double()[:, None]
    moved = torch.fft.ifft2(torch.fft.fft2(out) * torch.exp(-1j * math.pi * u * rows)).real
    after = layer(x.roll(rows, 2)) - layer(x).mean()
    return math.sqrt((after - moved).square().sum() / out.square().sum())

errors = dict(map(lambda n: (n, ruler(HALVINGS[n], image, 1)), HALVINGS))
first, second, _ = errors.values()
measured = first / second
"""
LESSONS = """
def ruler(layer, x, rows):
    out = layer(x)
    return equivariance_error(layer, x, rows) * float(out.norm() / (out - out.mean()).norm())

errors = {n: ruler(f, image, 1) for n, f in HALVINGS.items()}
measured = errors["keep every second"] / errors["blur, then halve"]
"""
FIRST = "predicted = 4"


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("turned", turned()),
        ("turned", TRANSPOSED),
        ("turned", BATCHED),
        ("breaking", breaking(by="(1, 3)")),
        ("breaking", PREFIXES),
        ("breaking", NOISE),
        ("breaking", breaking(broken="not torch.allclose(gap, 0 * gap, atol=1e-6)")),
        ("repair", repair()),
        ("repair", around()),
        ("repair", TILED),
        ("undo", SOLVED),
        ("undo", FLIPPED),
        ("undo", undo("torch.fft.ifft2(Y * K / K.abs() ** 2).real")),
        ("experiment", WITH_NUMPY),
        ("experiment", TWO_MOVED),
        ("experiment", LESSONS),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    before = {"breaking": breaking(), "prediction": FIRST}
    exercise.assert_passes(**before | {task: source})


TURNED_IS, BREAKING_IS, REPAIR_IS = "turned_check", "breaking_check", "repair_check"
UNDO_IS, EXPERIMENT_IS = "undo_check", "experiment_check"
WRONG = [
    # What the check at home lets through.
    (TURNED_IS, turned(turns="(0,)", result="outputs[0]"), "without any turn", True),
    (TURNED_IS, turned(turns="(0, 2)", result="sum(outputs) / 2"), "half turns only", True),
    (TURNED_IS, turned(result="torch.stack(outputs).amax(0)"), "the largest of the four", True),
    (TURNED_IS, turned(result="(sum(outputs) / 4, x.zero_())[0]"), "changes the images", True),
    (BREAKING_IS, CUMULATIVE, "so no earlier fault counts", True),
    (BREAKING_IS, breaking(by="(2, 2)"), "try an odd one", True),
    (BREAKING_IS, breaking(by="(1, 0)"), "cause no error for a shift down", True),
    (BREAKING_IS, BY_TYPE, "you find []", True),
    (BREAKING_IS, breaking(result="found[:1]"), "you find [0], not [0, 3]", True),
    (BREAKING_IS, breaking(result="found or [0]"), "you find [0], not []", True),
    (BREAKING_IS, breaking(result="[n for n in found if type(net[n]) is not nn.LayerNorm]"),
     "you find [], not [1]", True),
    (BREAKING_IS, BY_KIND, "its type does not tell", True),
    (REPAIR_IS, repair(chosen="layer.padding_mode == 'zeros'"), "still has an error", True),
    (REPAIR_IS, repair(pool="layer"), "of ['circular', 'max'] still has an error", True),
    (REPAIR_IS, around(2), "still has an error", True),
    (UNDO_IS, undo("torch.fft.ifft2(Y / K).real"), "you forget the bar", True),
    (UNDO_IS, undo("torch.fft.ifft2(Y / K.conj()).abs()"), "may be negative", True),
    (UNDO_IS, undo("torch.fft.ifft2(Y / K.conj()).real[:4, :4]"), "expected (6, 9)", True),
    (EXPERIMENT_IS, experiment(ratio="gap.norm() / out.std()"), "standard deviation", True),
    (EXPERIMENT_IS, experiment(ratio="gap.norm() / (out.max() - out.min())"), "range", True),
    (EXPERIMENT_IS, experiment("layer(shift(x, 1)) - shift(out, 1 / 2)"), "shift by one row", True),
    (EXPERIMENT_IS, experiment("layer(shift(x, rows)) - shift(out, rows)"), "as many pixels", True),
    (EXPERIMENT_IS, experiment(ratio="(gap - gap.mean()).norm() / (out - out.mean()).norm()"),
     "you subtract the mean from the error", True),
    (EXPERIMENT_IS, experiment(errors="{n: equivariance_error(f, image, 1) for n, f in "
                               "HALVINGS.items()}"), "you use the lesson's measure", True),
    (EXPERIMENT_IS, experiment(measured="1 / (" + FACTOR + ")"), "by the other", True),
    # What it finds.
    (TURNED_IS, turned("layer(x.rot90(k, (2, 3)))"), "you do not turn the outputs back", False),
    (TURNED_IS, turned("layer(x.rot90(k, (2, 3))).rot90(k, (2, 3))"), "the outputs further", False),
    (TURNED_IS, turned(result="sum(outputs)"), "you add the four outputs", False),
    (TURNED_IS, turned(result="torch.zeros_like(x)"), "differs", False),
    (BREAKING_IS, breaking(result="found[0]"), "Return a list of whole numbers", False),
    (BREAKING_IS, breaking(result="[n + 1 for n in found]"), "you find [3], not [2]", False),
    (BREAKING_IS, breaking(broken="not layer(x.roll(1, 3)).equal(after)"), "you find", False),
    (REPAIR_IS, repair("net"), "changes the net that it is given", False),
    (REPAIR_IS, repair(chosen="layer.__init__(3, 3, 3, padding=1) is None"), "Away from", False),
    (REPAIR_IS, "def repair(net): return net", "still has an error", False),
    (REPAIR_IS, "def repair(net): return lambda x: torch.zeros_like(x)", "Away from", False),
    (REPAIR_IS, "def repair(net): return lambda x: net(x)[..., 1:-1, 1:-1]", "(2, 3, 10, 10)",
     False),
    (REPAIR_IS, around(4, "reflect"), "still has an error", False),
    (UNDO_IS, undo("torch.fft.ifft2(Y * K.conj()).real"), "once more", False),
    (UNDO_IS, undo("torch.fft.ifft2(Y / K.conj())"), "Your image is complex", False),
    (UNDO_IS, undo("torch.fft.ifft2(Y / K.conj()).real.roll((-1, -1), (0, 1))"), "middle", False),
    (UNDO_IS, undo("y"), "the filtered image as it is", False),
    (EXPERIMENT_IS, experiment(ratio="gap.norm() / out.norm()"), "adds 5 to", False),
    (EXPERIMENT_IS, experiment(ratio="gap.norm()"), "multiplies by 3", False),
    (EXPERIMENT_IS, experiment(errors="{'blur': 1.0}", measured="2.0"), "an error for each", False),
    (EXPERIMENT_IS, experiment(measured="str(" + FACTOR + ")"), "A factor is a number", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    others = {"breaking": breaking(), "prediction": FIRST}
    exercise.assert_rejects(check, source, finding, at_home, **others)


def test_without_a_prediction_the_experiment_is_not_looked_at(exercise):
    exercise.assert_asks_for_prediction(experiment())


def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(exercise, capsys):
    exercise.assert_passes(prediction="predicted = 1000", experiment=experiment())
    assert "you predicted a factor of 1000 and measured " in capsys.readouterr().out


def test_everybody_has_a_net_at_fault_and_an_image_of_their_own(exercise, monkeypatch):
    space, nets, factors = exercise.setup(), set(), []
    ruler = exercise.setup()
    exec(experiment(errors="{}", measured="0"), ruler)
    for number in range(30):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        net = space["own_net"]("")
        nets.add(str(net))
        assert "padding_mode=reflect" in str(net) or "padding=(1, 1))" in str(net)
        image = space["own_image"]("")[0]
        assert image.min() >= 0 and image.max() <= 1
        every, blur, _ = (ruler["ruler"](halve, image, 1) for halve in space["HALVINGS"].values())
        factors.append(every / blur)
    assert len(nets) > 10 and min(factors) < 2 < 6 < max(factors)
