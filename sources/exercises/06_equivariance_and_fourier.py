# %% [markdown]
# # Exercise 06: what moves along, and what does not
#
# **You practise** making a layer treat all directions alike, finding by measurement which layers of
# a net do not follow shifts, undoing a filter through its spectrum, and choosing a measure that
# no constant can fool.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, quiz
from course_utils.equivariance import equivariance_error, shift
from course_utils.models.blurpool import BlurPool
from course_utils.plots import plot_images, show

HALVINGS = {
    "keep every second": lambda x: x[..., ::2, ::2],
    "blur, then halve": BlurPool(3, padding_mode="circular"),
    "max 2 x 2": nn.MaxPool2d(2),
}


def own_net(student_id):
    """Return your net for images (N, 3, H, W), whose size it keeps; some layers are at fault."""
    drawn = quiz.generator(student_id)
    modes = ["circular", "circular", "zeros", "reflect"]
    picked = [modes[number] for number in torch.randperm(4, generator=drawn)[:3]]
    layers = [nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode) for mode in picked]
    place = int(torch.randint(0, 4, (), generator=drawn))
    layers.insert(place, nn.MaxPool2d(3, stride=1, padding=1))
    net = nn.Sequential(*(each for layer in layers for each in (layer, nn.ReLU()))).eval()
    for parameter in net.parameters():
        parameter.data.normal_(0.1, 0.4, generator=drawn)
    return net


def own_image(student_id):
    """Return your image (1, 1, 32, 32), the cycles of its fine wave, and both amplitudes."""
    drawn = quiz.generator(student_id)
    cycles = int(torch.randint(9, 15, (), generator=drawn))
    broad, fine = (int(torch.randint(1, 6, (), generator=drawn)) / 25 for _ in range(2))
    angle = 2 * math.pi * torch.arange(32.0) / 32
    rows = 0.5 + broad * torch.cos(angle) + fine * torch.cos(cycles * angle)
    return rows[:, None].expand(1, 1, 32, 32), cycles, broad, fine


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your net and your
# image, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="dark_rim"
dark_rim = None  # rows
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/06_equivariance_and_fourier", "dark_rim", student_id)
k, num_layers = numbers["k"], numbers["num_layers"]
dark_rim = num_layers * (k // 2)  # each layer reaches k // 2 pixels further
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="stripes_seen"
stripes_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/06_equivariance_and_fourier", "stripes_seen", student_id)
n, c, s = (question.values[letter] for letter in "ncs")
# n / s pixels hold at most half as many periods; more periods than that appear as fewer.
seen = "The same stripes" if 2 * c < n // s else "Broader stripes"
stripes_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="fault_told"
fault_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/06_equivariance_and_fourier", "fault_told", student_id)
told = f"{question.values['a'] * question.values['b']} pixels"  # no error comes from the strides
fault_told = next(x for x, option in question.lettered.items() if option.text == told)
### END SOLUTION

# %% [markdown] tier="drill" minutes=4
# ## Task 1: all directions alike
#
# In the lesson, averaging over all shifts turned any matrix into one that treats all places alike.
# Do the same for directions: average over the four quarter turns. Complete the function so that its
# output turns with `x`, whatever the layer does.
#
# hint: What did the lesson do to the matrix for each shift, before it averaged? It moved the input,
# applied the matrix, and then?
#
# hint: The four outputs belong to images in four orientations. Before you can average these
# outputs, they must all have the same orientation.
#
# hint: `x.rot90(number, dims=(-2, -1))` turns an image by `number` quarter turns; a negative number
# turns it back.


# %% task="turned"
def in_all_directions(layer, x: torch.Tensor) -> torch.Tensor:
    """Apply `layer`, which keeps the size, to x (N, C, H, H) so that the output turns with x."""
    ### BEGIN SOLUTION
    outputs = []
    for number in range(4):
        output = layer(x.rot90(number, dims=(-2, -1)))
        outputs.append(output.rot90(-number, dims=(-2, -1)))  # back, so that all four line up
    return torch.stack(outputs).mean(dim=0)
    ### END SOLUTION


# %% check="turned_check" points=1
import torch
import torch.nn.functional as F

from course_utils import checks


@checks.beside
class _Directed:
    """A layer: a circular convolution with these weights, or twice the image plus 1."""

    def __init__(self, weights=None):
        self.weights = weights

    def __call__(self, x):
        if self.weights is None:
            return 2 * x + 1
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), self.weights)


@checks.beside
def _turned(in_all_directions, weights, x):
    return in_all_directions(_Directed(weights), x)


def check_small(in_all_directions):
    x = torch.arange(9.0).square().reshape(1, 1, 3, 3)
    expected, turns = 2 * x + 1, [2 * x.rot90(number, (2, 3)) + 1 for number in range(4)]
    slips = {
        "you do not turn the outputs back": sum(turns) / 4,
        "you turn the outputs further, not back": (expected + expected.rot90(2, (2, 3))) / 2,
        "you add the four outputs: take their mean": 4 * expected,
    }
    checks.require_tensor(_turned(in_all_directions, None, x), expected, slips)


turned_is_right = checks.show(check_small, in_all_directions)


### BEGIN HIDDEN TESTS
def check_answer(in_all_directions):
    import torch

    check_small(in_all_directions)
    for seed, shape in enumerate([(1, 1, 6, 6), (2, 3, 5, 5)]):
        x = checks.random_tensor(*shape, seed=seed)
        weights = checks.random_tensor(2, shape[1], 3, 3, seed=seed + 5)
        before, outputs = x.clone(), []
        for number in range(4):
            output = _Directed(weights)(x.rot90(number, (2, 3)))
            outputs.append(output.rot90(-number, (2, 3)))
        slips = {
            "you apply the layer without any turn": outputs[0],
            "you average over half turns only: two of the four turns are missing": (
                outputs[0] + outputs[2]
            )
            / 2,
            "you take the largest of the four, not their mean": torch.stack(outputs).amax(0),
        }
        answer = _turned(in_all_directions, weights, x)
        checks.require_tensor(answer, sum(outputs) / 4, slips, tolerance=1e-4)
        checks.require(torch.equal(x, before), "Your function changes the images that it is given.")


checks.award(1, check_answer, in_all_directions)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=16
# ## Task 2: find what breaks a net, and repair it
#
# Your net keeps the size of its images. On the ring its output should follow every shift of the
# image, but it does not. The next two cells show the symptom: where *shift, then apply the net* and
# *apply the net, then shift* differ, for a shift by one pixel down and to the right.

# %% readonly="symptom"
net = own_net(student_id)
noise = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def where_it_breaks(net):
    """Return how much the two orders differ at each pixel: (1, 24, 24), at most 1."""
    with torch.no_grad():
        gap = net(noise.roll((1, 1), (2, 3))) - net(noise).roll((1, 1), (2, 3))
    gap = gap.abs().sum(dim=1)
    return gap / gap.max().clamp(min=1e-3)


# %%
print(net)
show(
    plot_images([where_it_breaks(net)], ["where it breaks"], size=1.8),
    "A map that is black in the middle and has bright lines along its borders",
)

# %% [markdown]
# **(a)** Complete `breaking` so that it finds, by measurement, which layers of a net do not follow
# every shift. A layer is not at fault if only its input is wrong, and a layer may follow some
# shifts but not others. The nets in the checks contain layers that yours does not have, such as an
# `nn.Sequential`; all layers keep the size. Rounding leaves relative errors of about 0.0000001;
# those of a fault are far larger.
#
# **(b)** Complete `repair`. The nets that it gets have layers of the same kinds as yours, and their
# only fault is what they do at the border. The net that you return must follow every shift, and
# away from the border its output must be the same as that of the old net. Do not change the old
# net.
#
# hint: The error in a layer's output may come from its input. What input must the layer get so that
# only its own fault shows?
#
# hint: A stride of 2 causes no error if the shift is 2, and zeros on the left and the right cause
# none if the shift is straight down. Which single shift shows both faults?
#
# hint: `nn.Conv2d` has the attribute `padding_mode`. `nn.MaxPool2d` has no such attribute, but you
# can set its `padding` to 0 and put `nn.CircularPad2d` before it. `copy.deepcopy` copies a net.


# %% task="breaking"
def breaking(net: nn.Sequential, x: torch.Tensor) -> list[int]:
    """Return the indices of all layers of `net` that do not follow shifts of x (N, 3, H, W)."""
    ### BEGIN SOLUTION
    found = []
    for number, layer in enumerate(net):
        output = layer(x)
        moved = layer(x.roll((1, 1), (2, 3)))  # by 1 along both axes: this shows every fault
        gap = (moved - output.roll((1, 1), (2, 3))).norm() / output.norm()
        if gap > 1e-3:  # rounding gives about 1e-7
            found.append(number)
        x = output  # the next layer gets the same input in both orders
    return found
    ### END SOLUTION


# %% check="breaking_check" points=2
import torch
from torch import nn

from course_utils import checks


@checks.beside
class _Nets:
    """Makes nets of some layers, for three channels of 12 x 12."""

    @staticmethod
    def made(plan, numbers):
        """Return a net of these layers with these parameters."""

        def padded(pad, layer):
            return nn.Sequential(pad, layer)

        made = {
            "relu": nn.ReLU,
            "max": lambda: nn.MaxPool2d(3, stride=1, padding=1),
            "ring max": lambda: padded(nn.CircularPad2d(1), nn.MaxPool2d(3, stride=1)),
            "point": lambda: nn.Conv2d(3, 3, 1),  # its padding_mode is "zeros", too
            "halve": lambda: nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2)),
            "sides": lambda: padded(nn.CircularPad2d((0, 0, 1, 1)), nn.Sequential(
                nn.ZeroPad2d((1, 1, 0, 0)), nn.Conv2d(3, 3, 3))),
            "places": lambda: nn.LayerNorm((3, 12, 12)),
        }  # fmt: skip
        for mode in ("circular", "zeros", "reflect"):
            made[mode] = lambda mode=mode: nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode)
        net = nn.Sequential(*(made[kind]() for kind in plan))
        for parameter, values in zip(net.parameters(), numbers.split(1000), strict=False):
            parameter.data.copy_(values[: parameter.numel()].view_as(parameter))
        return net


@checks.beside
def _listed(breaking, plan, numbers, x):
    with torch.no_grad():
        found = breaking(_Nets.made(plan, numbers), x)
    return sorted(found) if isinstance(found, set | frozenset) else found


def _require_breaking(breaking, plan, expected, seed, slips=None):
    numbers = 0.4 * checks.random_tensor(10_000, seed=seed) + 0.1
    found = _listed(breaking, plan, numbers, checks.random_tensor(2, 3, 12, 12, seed=seed + 50))
    if found is None:
        raise checks.NotAnswered
    fits = type(found) in (list, tuple) and all(type(number) is int for number in found)
    checks.require(
        fits, f"Return a list of whole numbers, where 0 is the first layer, not {found!r}."
    )
    for sentence, slip in (slips or {}).items():
        checks.require(list(found) != slip, f"In {plan} you find {slip}: {sentence}.")
    checks.require(list(found) == expected, f"In {plan} you find {found}, not {expected}.")


def check_small(breaking):
    _require_breaking(breaking, ["circular", "relu", "zeros"], [2], 1)


breaking_is_right = checks.show(check_small, breaking)


### BEGIN HIDDEN TESTS
def check_answer(breaking):
    check_small(breaking)
    later = {"give each layer the same input in both orders, so no earlier fault counts": [0, 1]}
    _require_breaking(breaking, ["zeros", "relu"], [0], 2, later)
    even = {"a layer with a stride follows some shifts, so try an odd one": []}
    _require_breaking(breaking, ["circular", "halve", "circular"], [1], 3, even)
    down = {"zeros on the left and the right cause no error for a shift down": []}
    _require_breaking(breaking, ["circular", "relu", "sides"], [2], 4, down)
    _require_breaking(breaking, ["reflect", "relu", "circular", "max"], [0, 3], 5)
    _require_breaking(breaking, ["circular", "places", "relu", "circular"], [1], 6)
    _require_breaking(breaking, ["circular", "relu", "circular"], [], 7)
    kinds = {"its type does not tell you whether a layer is at fault: measure": [0, 1, 2]}
    _require_breaking(breaking, ["ring max", "point", "sides"], [2], 8, kinds)


checks.award(2, check_answer, breaking)
### END HIDDEN TESTS


# %% task="repair"
def repair(net: nn.Sequential) -> nn.Module:
    """Return a net that follows every shift, and agrees with `net` away from the border."""
    ### BEGIN SOLUTION
    layers = []
    for layer in copy.deepcopy(net):  # we change the copy, which has the same weights
        if isinstance(layer, nn.MaxPool2d):  # it pads with -inf, and has no other mode
            pad, layer.padding = layer.padding, 0
            layer = nn.Sequential(nn.CircularPad2d(pad), layer)
        elif isinstance(layer, nn.Conv2d):
            layer.padding_mode = "circular"
        layers.append(layer)
    return nn.Sequential(*layers)
    ### END SOLUTION


# %% check="repair_check" points=3
import torch
from torch import nn

from course_utils import checks


@checks.beside
def _repaired(repair, plan, numbers, x):
    """Return the outputs for x: of the repaired net, and of the given one before and after."""
    net = _Nets.made(plan, numbers)
    with torch.no_grad():
        before = net(x)
        found = repair(net)
        output = found if found is None else found(x)
        return output, before, net(x)


_ON_A_RING = {"zeros": "circular", "reflect": "circular", "max": "ring max"}


def _require_repaired(repair, plan, seed):
    numbers = 0.4 * checks.random_tensor(10_000, seed=seed) + 0.1
    x = checks.random_tensor(2, 3, 12, 12, seed=seed + 50)
    output, before, after = _repaired(repair, plan, numbers, x)
    ring = _Nets.made([_ON_A_RING.get(kind, kind) for kind in plan], numbers)
    right, inside = ring(x).detach(), (..., slice(5, 7), slice(5, 7))
    if output is None:
        raise checks.NotAnswered
    is_map = isinstance(output, torch.Tensor) and output.shape == right.shape
    shape = tuple(getattr(output, "shape", ()))
    sentence = f"The output of your net has the shape {shape}, expected {tuple(x.shape)}."
    checks.require(is_map, sentence)
    gap = float((output[inside] - right[inside]).abs().max())
    sentence = f"Away from the border your net of {plan} differs from the old one by {gap:.2g}."
    checks.require(gap < 1e-3, sentence)
    error = float((output - right).norm() / right.norm())
    sentence = f"Your net of {plan} still has an error of {error:.2g} at its border."
    checks.require(error < 1e-4, sentence)
    sentence = "Your function changes the net that it is given: work on a copy."
    checks.require(torch.equal(before, after), sentence)


def check_small(repair):
    _require_repaired(repair, ["zeros"], 1)


repair_is_right = checks.show(check_small, repair)


### BEGIN HIDDEN TESTS
def check_answer(repair):
    check_small(repair)
    _require_repaired(repair, ["circular", "max"], 3)
    _require_repaired(repair, ["zeros", "relu", "reflect", "max", "zeros"], 5)


checks.award(3, check_answer, repair)
### END HIDDEN TESTS

# %% [markdown]
# Here is the map of your net before and after the repair.

# %%
if repair_is_right:
    maps = [where_it_breaks(net), where_it_breaks(repair(net))]
    show(
        plot_images(maps, ["as it was", "repaired"], size=1.8, num_columns=2),
        "Two maps of errors: as it was, with bright lines along its borders; repaired, all black",
    )
else:
    print("The map of your net, before and after, appears here once task 2 is done.")

# %% [markdown] tier="build" minutes=9
# ## Task 3: undo a filter
#
# A camera has applied a filter to an image, on the ring: $y(r) = \sum_p f(p)\, x(r + p)$, where $p$
# counts from the filter's upper left corner. You know $y$ and $f$. Complete the function so that it
# returns $x$. (No frequency is lost: the spectra of our filters stay well away from 0.)
#
# hint: In the lesson, filtering becomes a product of spectra. What undoes a product?
#
# hint: The filter has fewer pixels than the image, but its spectrum must have as many frequencies:
# `torch.fft.fft2` has the argument `s` for that. Where does it put the zeros?
#
# hint: The sum has a plus in $x(r + p)$. Which of the lesson's two formulas belongs to it, the one
# with the bar (the complex conjugate) or the one without?


# %% task="undo"
def undo(y: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return the image (H, W), as floats, that `kernel` (k, k) turned into y (H, W)."""
    ### BEGIN SOLUTION
    of_f = torch.fft.fft2(kernel, s=y.shape)  # zeros below and to the right: p counts from a corner
    of_x = torch.fft.fft2(y) / of_f.conj()  # the lesson's product, with the bar, solved for x
    return torch.fft.ifft2(of_x).real  # the imaginary part is rounding error
    ### END SOLUTION


# %% check="undo_check" points=2
import torch

from course_utils import checks


def _filtered(x, kernel):
    """Return the sum of f(p) x(r + p) over p, on the ring."""
    k = range(len(kernel))
    return sum(kernel[i, j] * x.roll((-i, -j), (0, 1)) for i in k for j in k)


def _require_undone(undo, x, kernel, slips=None):
    output = undo(_filtered(x, kernel), kernel.clone())
    is_complex = isinstance(output, torch.Tensor) and output.is_complex()
    checks.require(
        not is_complex,
        "Your image is complex: drop its imaginary part, which is only rounding error.",
    )
    checks.require_tensor(output, x, slips, tolerance=1e-3)


def check_small(undo):
    x = torch.tensor([[1.0, 2, 3, 4], [0, 5, 0, 5], [9, 1, 1, 9], [2, 4, 6, 8]])
    kernel = torch.tensor([[3.0, 0, 1], [0, 0, 0], [0, 0, 0]])
    slips = {
        "you apply the filter once more": _filtered(_filtered(x, kernel), kernel),
        "you return the filtered image as it is": _filtered(x, kernel),
        "you count p from the middle of the kernel, not from its corner": x.roll((-1, -1), (0, 1)),
    }
    _require_undone(undo, x, kernel, slips)


undo_is_right = checks.show(check_small, undo)


### BEGIN HIDDEN TESTS
def check_answer(undo):
    import torch

    check_small(undo)
    for seed, (height, width, k) in enumerate([(6, 9, 3), (8, 5, 4), (7, 7, 2)]):
        x = checks.random_tensor(height, width, seed=seed)
        kernel = checks.random_tensor(k, k, seed=seed + 5)
        kernel[0, 1] = 2 * kernel.abs().sum()  # large enough that no frequency is lost
        of_y = torch.fft.fft2(_filtered(x, kernel))
        slips = {
            "you forget the bar: this filter is a cross-correlation": torch.fft.ifft2(
                of_y / torch.fft.fft2(kernel, s=x.shape)
            ).real,
            "you take absolute values: images may be negative": x.abs(),
        }
        _require_undone(undo, x, kernel, slips)


checks.award(2, check_answer, undo)
### END HIDDEN TESTS

# %% [markdown] tier="investigate" minutes=15
# ## Task 4: what does a blur repair?
#
# The lesson's measure divides the error by the norm of the output. That has a weakness: a layer
# that adds 5 to its output makes the same errors, but its output is much larger, so it seems
# better. Your image has a mean brightness of 0.5 and two waves on top, a broad one and a fine one.

# %% readonly="image"
image, cycles, broad, fine = own_image(student_id)

# %%
print(
    f"broad wave: 1 cycle, amplitude {broad:.2f}; fine wave: {cycles} cycles, amplitude {fine:.2f}"
)
show(
    plot_images([image[0]], ["your image"], size=2.4),
    "Horizontal stripes: a broad wave from bright to dark and back, with fine stripes on it",
)
for name, halve in HALVINGS.items():
    print(f"{name:18} error by the lesson's measure: {equivariance_error(halve, image, 1):.3f}")

# %% [markdown]
# **Predict first.** Take a measure that no constant can fool: it divides by the norm of the output
# minus *its own mean*. By what factor is the error of "keep every second" larger than that of
# "blur, then halve", on your image, for a shift by one pixel? Write down your prediction before you
# run anything. A wrong prediction costs nothing; without a prediction, the experiment is not
# marked.

# %% task="prediction"
predicted = None  # a factor, such as 1 (the blur repairs nothing) or 10
### BEGIN SOLUTION
# The blur multiplies a wave of u cycles per pixel by cos² πu. With and without it, the error is the
# fine wave, twice as strong as in the output; so compare its share of the output's two waves.
weak, strong = (math.cos(math.pi * number / 32) ** 2 for number in (cycles, 1))
without_blur = fine / math.hypot(broad, fine)
predicted = without_blur / (fine * weak / math.hypot(broad * strong, fine * weak))
### END SOLUTION

# %% [markdown]
# **Now the experiment.** Write this measure as the function `ruler`. Like `equivariance_error`, it
# does not change if the output is multiplied by a factor; unlike `equivariance_error`, it also
# stays the same if a constant is added to the output. In an output of half the size, a shift by
# `rows` becomes one by `rows / 2`; the lesson's `shift` can also shift by half a pixel. Then
# measure all of `HALVINGS` on your image, for a shift by one pixel.
#
# hint: If a layer adds 5 to its output, what becomes of `f(Tx) - T f(x)`, and what of the norm of
# the output? Only what the 5 still reaches has to change.
#
# hint: Leave the numerator as it is: a constant cancels there, and the mean of the error is part of
# the error.
#
# hint: `shift(layer(x), rows / 2)` is what the output should become, and `layer(shift(x, rows))` is
# what it does become.


# %% task="experiment"
def ruler(layer, x: torch.Tensor, rows: int) -> float:
    """Measure the error of a layer that halves x (1, 1, H, W), whatever it adds to its output."""
    ### BEGIN SOLUTION
    output = layer(x)
    gap = layer(shift(x, rows)) - shift(output, rows / 2)  # a constant cancels
    return (gap.norm() / (output - output.mean()).norm()).item()
    ### END SOLUTION


errors = None  # the error of each of HALVINGS on your image: {name: number}
measured = None  # the factor that you predicted, as measured
### BEGIN SOLUTION
errors = {name: ruler(halve, image, 1) for name, halve in HALVINGS.items()}
measured = errors["keep every second"] / errors["blur, then halve"]  # large if the blur helps
print(errors, measured)
### END SOLUTION

# %% check="experiment_check" points=2
import torch
from torch import nn

from course_utils import checks
from course_utils.equivariance import shift


@checks.beside
class _Halves:
    """A layer that halves, multiplies and adds; "ramp" treats each row differently."""

    def __init__(self, kind, factor=1.0, added=0.0):
        self.kind, self.factor, self.added = kind, factor, added

    def __call__(self, x):
        pools = {"max": nn.functional.max_pool2d, "average": nn.functional.avg_pool2d}
        if self.kind == "ramp":
            x = x * torch.arange(1.0, 1 + x.shape[-2])[:, None]
        half = pools[self.kind](x, 2) if self.kind in pools else x[..., ::2, ::2]
        return self.factor * half + self.added


@checks.beside
def _ruled(ruler, x, rows, *layer):
    return ruler(_Halves(*layer), x, rows)


def check_small(predicted, ruler, errors, measured):
    if errors is None and measured is None:
        raise checks.NotAnswered
    checks.require(predicted is not None, "Write your prediction down before the experiment.")
    for number in (predicted, measured):
        fits = type(number) in (int, float) and number > 0
        checks.require(fits, f"A factor is a number above 0, not {number!r}.")
    names = list(HALVINGS)
    fits = type(errors) is dict and sorted(errors) == sorted(names)
    checks.require(fits, f"Give an error for each of {names}: {{name: number}}.")
    x = checks.random_tensor(1, 1, 12, 8)
    plain, *others = (_ruled(ruler, x, 1, "every", *more) for more in ((), (1.0, 5.0), (3.0, 0.0)))
    for found, what in zip(others, ("adds 5 to", "multiplies by 3"), strict=True):
        sentence = f"Your ruler returns {plain}, but {found} if the layer {what} its output."
        checks.require_number(plain, plain)  # any number, but a number
        checks.require(abs(found - plain) < 1e-3, sentence)


_BESIDE = f"you predicted a factor of {predicted} and measured {measured}: explain this below"
experiment_is_right = checks.show(check_small, predicted, ruler, errors, measured, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, ruler, errors, measured):
    check_small(predicted, ruler, errors, measured)

    def parts(layer, x, rows):
        output = layer(x)
        gap = layer(shift(x, rows)) - shift(output, rows / 2)
        return gap, output, output - output.mean()

    for seed, (kind, rows) in enumerate(
        [("every", 1), ("max", 3), ("average", -1), ("ramp", 3), ("ramp", 2)]
    ):
        x = checks.random_tensor(1, 1, 12, 8, seed=seed)
        gap, output, around = parts(_Halves(kind, 1.0, 2.0), x, rows)
        whole = _Halves(kind)(shift(x, rows)) - shift(_Halves(kind)(x), rows)
        once = parts(_Halves(kind, 1.0, 2.0), x, 1)[0]
        slips = {
            "you always shift by one row: shift by `rows`": float(once.norm() / around.norm()),
            "you divide by the standard deviation: the norm of the error grows with the number of "
            "pixels, so divide by a norm": float(gap.norm() / output.std()),
            "you shift the output by as many pixels as the input: it has half the size": float(
                whole.norm() / around.norm()
            ),
            "you divide by the range of the output": float(
                gap.norm() / (output.max() - output.min())
            ),
            "you subtract the mean from the error, too: it is part of the error": float(
                (gap - gap.mean()).norm() / around.norm()
            ),
        }
        checks.require_number(
            _ruled(ruler, x, rows, kind, 1.0, 2.0),
            float(gap.norm() / around.norm()),
            slips,
            tolerance=1e-3,
        )
    right, image = {}, own_image(student_id)[0]
    for name, halve in HALVINGS.items():
        gap, output, around = parts(halve, image, 1)
        right[name] = float(gap.norm() / around.norm())
        fooled = {"you use the lesson's measure": float(gap.norm() / output.norm())}
        checks.require_number(errors[name], right[name], fooled, tolerance=1e-2)
    factor = right["keep every second"] / right["blur, then halve"]
    slips = {"you divide the blur's error by the other one": 1 / factor}
    checks.require_number(measured, factor, slips, tolerance=1e-2)


checks.award(2, check_answer, predicted, ruler, errors, measured)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show? Why do the two
# measures disagree about the blur and about max pooling? For which images does a blur repair
# nothing, although it seems to help by the lesson's measure? 2 points, graded by a person.

# %% [markdown] written="blur" points=2
# **A model answer.** I predicted a factor of 18 from the response of the blur, cos² πu, and
# measured 18: the blur leaves only 4 % of my fine wave, which has 14 cycles, and nearly all of the
# broad one, so hardly anything is left that cannot follow the shift. The lesson's measure divides
# by the norm of an output that is mostly its mean, 0.5 for the blur and more for max pooling, so
# both look better than they are, max pooling even more so: its error seems to be 0.08 instead of
# 0.41. If an image has only fine waves, the blur turns them into a faint pattern on grey that is
# all alias: it is weaker, but it follows a shift no better.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement, and explains a gap by what the blur
#   leaves of the two waves, or, if there is no gap, says why the prediction was right. Half a point
#   if both numbers are there without a reason. A wrong prediction costs nothing.
# - 1 point: the answer says that the mean of the output is in the lesson's denominator, *and* that
#   a blur helps only if the image has broad waves, which it keeps. Half a point for only one.
