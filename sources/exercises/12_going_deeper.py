# %% [markdown]
# # Exercise 12: where a deep net starts
#
# **You practise** working out how much each gated layer contributes to the output, choosing the
# biases that make a net start as you wish, finding four faults in gated layers from their symptoms,
# and testing whether it is the start that keeps a deep plain net from learning.
#
# {tasks}
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
# Three hints are folded under each task; they cost nothing.

# %% readonly="setup"
import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, data, quiz
from course_utils.models.highway import HighwayLinear
from course_utils.plots import plot_by_depth, show

CONTROLS = ("permutation", "orthogonal", "small")
CLOTHES = data.load("fashion_mnist_mini", batch_size=50).train
PIXELS = F.avg_pool2d(CLOTHES.images / 255, 2).flatten(1) - 0.29  # 14 x 14 pixels are enough


def own_shares(student_id):
    """Return the shares that your gated net's input and layers should have in its output."""
    drawn = quiz.generator(student_id)
    number = int(torch.randint(5, 9, (), generator=drawn))
    parts = torch.randint(1, 10, (number,), generator=drawn).tolist()
    return [part / sum(parts) for part in parts]


def own_depth(student_id):
    """Return the width of your plain net, and how many layers to add to make it deep."""
    drawn = quiz.generator(student_id)
    width, more = (int(torch.randint(*span, (), generator=drawn)) for span in ((6, 11), (20, 31)))
    return 4 * width, more


def start_layer(layer, start):
    """Set the weights of a layer with as many outputs as inputs, and set its biases to 0."""
    width = len(layer.weight)
    random = torch.randn(width, width) * (2 / width) ** 0.5  # as He et al. do before a ReLU
    weights = {
        "random": random,
        "identity": torch.eye(width),
        "permutation": torch.eye(width)[torch.randperm(width)],  # passes everything on, reordered
        "orthogonal": 2**0.5 * nn.init.orthogonal_(torch.empty(width, width)),  # rotates x
        "small": random / 2,
    }
    layer.weight.data, layer.bias.data = weights[start], torch.zeros(width)


def final_loss(width, more, start, seed):
    """Train a plain net on 2,000 images of clothes; return its loss on the same images.

    Args:
        width: Units of each hidden layer.
        more: How many layers follow the first three.
        start: How those layers start: "random", "identity", "permutation", "orthogonal" or "small".
        seed: For all weights, and for the order of the images.
    """
    torch.manual_seed(seed)
    hidden = [nn.Linear(width, width) for _ in range(2 + more)]
    for number, layer in enumerate(hidden):
        start_layer(layer, "random" if number < 2 else start)
    layers = [nn.Linear(196, width), *hidden]
    net = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
    net.append(nn.Linear(width, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for step in range(150):
        if step % 40 == 0:
            batches = torch.randperm(2000).split(50)
        chosen = batches[step % 40]
        optimizer.zero_grad()
        F.cross_entropy(net(PIXELS[chosen]), CLOTHES.labels[chosen]).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(net(PIXELS[:2000]), CLOTHES.labels[:2000]).item()


# %% [markdown]
# Enter your student id as your teacher writes it. It determines your questions, your shares and
# your nets, so yours will differ from most people's. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown] tier="drill" minutes=6
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.
#
# ### Question 1

# %% quiz="carried_share"
carried_share = None  # per cent
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/12_going_deeper", "carried_share", student_id)
percent, n = numbers["percent"], numbers["n"]
carried_share = 100 * (1 - percent / 100) ** n  # each layer carries the share 1 - T
### END SOLUTION

# %% [markdown]
# ### Question 2

# %% quiz="gate_seen"
gate_seen = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/12_going_deeper", "gate_seen", student_id)
share = 1 / (1 + math.exp(-question.values["b"]))
# Without the carried input, each layer just multiplies its input's size by the gate.
seen = f"Each layer passes on about {share:.0%} "
gate_seen = next(x for x, option in question.lettered.items() if option.text.startswith(seen))
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="overfit_told"
overfit_told = None  # a letter
### BEGIN SOLUTION
question = quiz.question("exercises/12_going_deeper", "overfit_told", student_id)
# A net that overfits fits its own training images well.
told = "images that they were trained on"
overfit_told = next(x for x, option in question.lettered.items() if option.text.endswith(told))
### END SOLUTION

# %% [markdown] tier="drill" minutes=6
# ## Task 1: who wrote the output?
#
# In a highway net, each layer replaces a share T of its input by its own H, and carries the rest.
# So the net's output is a mixture of the net's input and the H of every layer, each with its own
# share. Complete the function. It takes the gates of all layers, and returns the shares for each
# unit: first that of the input, then those of the layers, from the first to the last. For each unit
# they add up to 1.
#
# hint: Take one unit and two layers, and put the first layer's equation into the second's. By what
# factor is each of x, H₁ and H₂ multiplied?
#
# hint: What a layer has written must pass through all *later* layers. What share does each of them
# carry?
#
# hint: Go through the layers from the first to the last, and keep a list of shares that begins with
# a 1 for the input. What does a layer do to all shares so far, and what share does it append?


# %% task="shares"
def shares(gates: torch.Tensor) -> torch.Tensor:
    """Return the shares (L + 1, N, D) of input and layers, for gates T (L, N, D) of L layers."""
    ### BEGIN SOLUTION
    found = [torch.ones_like(gates[0])]  # before any layer, all is input
    for gate in gates:
        found = [(1 - gate) * share for share in found]  # a layer carries what came before
        found.append(gate)
    return torch.stack(found)
    ### END SOLUTION


# %% check="shares_check" points=1
import torch

from course_utils import checks


def _shares_of(shares, gates):
    found = shares(gates)
    if found is None:
        raise checks.NotAnswered
    shape = tuple(getattr(found, "shape", ()))
    expected = (len(gates) + 1, *gates.shape[1:])
    checks.require(shape == expected, f"Your shares have the shape {shape}, expected {expected}.")
    return found


def check_small(shares):
    gates = checks.random_tensor(3, 2, 4).sigmoid()
    found = _shares_of(shares, gates)
    total = found.double().sum(dim=0)
    sentence = f"Your shares for the first unit add up to {total[0, 0]:.3f}, not to 1."
    checks.require(torch.allclose(total, torch.ones_like(total), atol=1e-4), sentence)


shares_are_right = checks.show(check_small, shares)


### BEGIN HIDDEN TESTS
def check_answer(shares):
    import torch

    check_small(shares)

    def ours(gates):
        """Multiply what each layer writes by what the later ones carry."""
        carried = [(1 - gates[number:]).prod(dim=0) for number in range(len(gates) + 1)]
        written = [gate * after for gate, after in zip(gates, carried[1:], strict=True)]
        return torch.stack([carried[0], *written])

    for seed, shape in enumerate([(4, 3, 5), (1, 2, 3), (7, 2, 2)], start=1):
        gates = checks.random_tensor(*shape, seed=seed).sigmoid()
        given, right = gates.clone(), ours(gates)
        earlier = ours(gates.flip(0)).flip(0)
        slips = {
            "you multiply by what earlier layers carry: the later ones count": torch.cat(
                [earlier[-1:], earlier[:-1]]
            ),
            "you put the input last": right.roll(-1, dims=0),
            "you list the layers from the last to the first": torch.cat([right[:1], right[1:].flip(0)]),
            "you apply the gates in the reverse order": ours(gates.flip(0)),
            "you swap T and 1 - T": ours(1 - gates),
            "you divide each gate by the number of layers: later layers carry only a part of what "
            "a layer writes": (
                torch.cat([1 - gates.mean(dim=0, keepdim=True), gates / len(gates)])
            ),
        }  # fmt: skip
        found = _shares_of(shares, given)
        checks.require(torch.equal(given, gates), "Your function changes the gates it is given.")
        checks.require_tensor(found.to(right.dtype), right, slips, tolerance=1e-4)


checks.award(1, check_answer, shares)
### END HIDDEN TESTS

# %% [markdown] tier="build" minutes=9
# ## Task 2: a start to order
#
# Suppose that at the start of training the weights of all gates are 0, and that all units of a
# layer have the same gate bias. Then a layer has the same gate for all units and all images: σ of
# that bias. Somebody asks for a certain start: `wanted` lists the share of the output that should
# come from the input, and from each layer, in the order of task 1. Complete the function so that it
# returns the bias with which each layer's gate must start. All shares are above 0, and they add up
# to 1.
#
# The next cell prints your own shares; the function must work for others, too.
#
# hint: Nothing follows the last layer: so what is its gate? And what is the gate of the layer
# before it?
#
# hint: A layer multiplies *all* earlier shares by the same factor, so the ratio between any two of
# them does not change. Which ratio does layer i set?
#
# hint: After layer i, its share is to the sum of all earlier shares as T is to 1 − T. And σ(b) = T
# means b = log(T / (1 − T)).

# %%
wanted = own_shares(student_id)
print("from the input:", f"{wanted[0]:.3f}")
print("from the layers:", ", ".join(f"{share:.3f}" for share in wanted[1:]))


# %% task="biases"
def gate_biases(wanted: list[float]) -> list[float]:
    """Return the bias of each layer's gate, for the shares of the input and of the layers."""
    ### BEGIN SOLUTION
    before, biases = wanted[0], []
    for share in wanted[1:]:
        # T / (1 - T) = share / before, whatever later layers do; its logarithm is the bias.
        biases.append(math.log(share / before))
        before += share
    return biases
    ### END SOLUTION


# %% check="biases_check" points=3
import math

from course_utils import checks


def _biases_of(gate_biases, wanted):
    found = gate_biases(list(wanted))
    if found is None:
        raise checks.NotAnswered
    found = found.tolist() if hasattr(found, "tolist") else found
    fine = isinstance(found, list | tuple) and all(isinstance(each, float) for each in found)
    checks.require(fine, f"Return a list of Python floats, not {found!r}.")
    number = len(wanted) - 1
    sentence = f"You return {len(found)} biases for {number} layers: the input has no gate."
    checks.require(len(found) == number, sentence)
    return list(found)


def _logit(gate):
    return math.log(gate / (1 - gate))


def check_small(gate_biases):
    [found] = _biases_of(gate_biases, [0.8, 0.2])
    slips = {
        "you return the gate: the bias is what goes into the sigmoid": 0.2,
        "you take the input's share for the gate": _logit(0.8),
        "you put the gate through another sigmoid": 1 / (1 + math.exp(-0.2)),
        "you take the logarithm of T alone": math.log(0.2),
        "you set every bias to 0": 0.0,
    }
    checks.require_number(found, _logit(0.2), slips, tolerance=1e-4)
    _biases_of(gate_biases, own_shares(student_id))


biases_are_right = checks.show(check_small, gate_biases)


### BEGIN HIDDEN TESTS
def check_answer(gate_biases):
    check_small(gate_biases)
    orders = [own_shares(student_id), [0.4, 0.1, 0.3, 0.2], [0.05, 0.15, 0.25, 0.35, 0.2]]
    for order in orders:
        found = _biases_of(gate_biases, order)
        right = [_logit(order[i] / math.fsum(order[: i + 1])) for i in range(1, len(order))]
        gates = [share / math.fsum(order[number:]) for number, share in enumerate(order)]
        slips = {
            "you take each share as the gate: later layers carry only a part of it": [
                _logit(share) for share in order[1:]
            ],
            "you list the layers from the last to the first": right[::-1],
            "you compare each layer with the input alone": [
                math.log(share / order[0]) for share in order[1:]
            ],
            "you compare each layer with the one before it alone": [
                math.log(order[i] / order[i - 1]) for i in range(1, len(order))
            ],
            "you give all layers the bias of the first": right[:1] * len(right),
            "you give all layers the same bias, so that only the input's share is right": (
                [_logit(1 - order[0] ** (1 / len(right)))] * len(right)
            ),
            "you begin at the input and divide up the rest: begin at the last layer": [
                -_logit(gate) for gate in gates[:-1]
            ],
        }
        for slip, wrong in slips.items():
            close = all(abs(a - b) < 1e-4 for a, b in zip(found, wrong, strict=True))
            same = all(abs(a - b) < 1e-4 for a, b in zip(right, wrong, strict=True))
            checks.require(
                same or not close, f"For the shares {order}, you get your biases if {slip}."
            )
        for place, (bias, expected) in enumerate(zip(found, right, strict=True), start=1):
            sentence = (
                f"For the shares {order}, your bias for layer {place} is {bias:.3f}, "
                f"expected {expected:.3f}."
            )
            checks.require(abs(bias - expected) < 1e-3, sentence)


checks.award(3, check_answer, gate_biases)
### END HIDDEN TESTS

# %% [markdown]
# The next cell builds a fresh net with your biases, and asks your function from task 1 for its
# shares.

# %%
if biases_are_right and shares_are_right:
    layers = [HighwayLinear(3, gate_bias=bias) for bias in gate_biases(wanted)]
    for layer in layers:
        nn.init.zeros_(layer.gate.weight)
    with torch.no_grad():
        gates = torch.stack([layer.gate(torch.rand(2, 3)).sigmoid() for layer in layers])
    for order, share in zip(wanted, shares(gates)[:, 0, 0].tolist(), strict=True):
        print(f"ordered {order:.3f}, delivered {share:.3f}")
else:
    print("The shares that your biases lead to appear here once tasks 1 and 2 are done.")

# %% [markdown] tier="build" minutes=12
# ## Task 3: gates with four faults
#
# Somebody has written *convolutional* gated layers. Each has one gate for each map of each image;
# the gates read the means of all maps. The filters should start as He et al. propose, the gates as
# in the highway paper. Instead: "My net with 8 maps runs if they are 8 × 8; if they are 6 × 6, it
# stops with an error. With a gate bias of −5 all layers should start by passing their input on, but
# the values of the maps about double in each layer. With +5 they hardly change at all. And after
# some training all filters have moved, but no gate has." Run the next two cells, and look at these
# symptoms before you read the code. There are four faults.

# %% readonly="broken"


class Gated(nn.Module):
    """The parameters of one layer; the functions below initialise and connect them."""

    def __init__(self, channels):
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Linear(channels, channels)


def broken_layers(channels, num_layers, gate_bias):
    """Return fresh layers, with filters that keep the size of the values that they read."""
    layers = nn.ModuleList(Gated(channels) for _ in range(num_layers))
    for layer in layers:
        nn.init.normal_(layer.transform.weight, std=(2 / channels) ** 0.5)
        nn.init.zeros_(layer.transform.bias)
        nn.init.constant_(layer.gate.bias, gate_bias)
    return layers


def broken_run(layers, x):
    """Send maps (N, C, H, W) through the layers; each mixes its input x with its own h."""
    for layer in layers:
        h = layer.transform(x).relu()
        with torch.no_grad():
            t = layer.gate(x.mean(dim=(1, 2))).sigmoid()
        t = t[:, :, None, None]  # one number for each map
        x = (1 - t) * h + t * x
    return x


def sizes(make_layers, run_layers, gate_bias):
    """Return the root mean square of the maps, before the first and after each of 12 layers."""
    torch.manual_seed(0)
    layers, x = make_layers(16, 12, gate_bias), torch.rand(16, 16, 16, 16)
    found = [x.square().mean().sqrt().item()]
    with torch.no_grad():
        for layer in layers:
            x = run_layers([layer], x)
            found.append(x.square().mean().sqrt().item())
    return found


def growth(make_layers, run_layers):
    """Plot the size of the values after each layer, with gates nearly closed and nearly open."""
    return plot_by_depth(
        {
            f"gate bias {bias:+}".replace("-", "−"): sizes(make_layers, run_layers, bias)
            for bias in (-5, 5)
        },
        "root mean square of the maps",
        xlabel="layers passed",
        first=0,
    )


# %%
torch.manual_seed(0)
try:
    broken_run(broken_layers(8, 2, -5.0), torch.rand(4, 8, 6, 6))
except RuntimeError as error:
    print("the error:", error)
layers, maps = broken_layers(8, 3, -1.0), torch.rand(4, 8, 8, 8)
before = {name: value.detach().clone() for name, value in layers.named_parameters()}
optimizer = torch.optim.SGD(layers.parameters(), lr=1e-4)
for _ in range(10):
    optimizer.zero_grad()
    broken_run(layers, maps).square().mean().backward()
    optimizer.step()
for kind in ("transform.weight", "gate.weight"):
    moved = [not value.equal(before[n]) for n, value in layers.named_parameters() if kind in n]
    print(f"{kind} has moved in {sum(moved)} of 3 layers")
show(
    growth(broken_layers, broken_run),
    "Root mean square of the maps over 12 layers, on a logarithmic scale: with a gate bias of −5 "
    "it grows about ten-thousandfold, nearly along a straight line; with +5 it hardly changes",
)

# %% [markdown]
# Now write both functions without the four faults. Each layer returns T · H + (1 − T) · x, as in
# the lesson, with one gate for each map of each image. `make_layers` returns a module that holds
# the layers, as an `nn.ModuleList` does, each of them `Gated(channels)`. Neither function needs
# more lines than the faulty one has.
#
# hint: The error: what shape does `x.mean(dim=(1, 2))` have for maps (4, 8, 6, 6), and for
# (4, 8, 8, 8)? Over which two axes must you average to get one number for each map?
#
# hint: The values that grow: how many products does a filter add up if it reads `channels` maps
# with a 3 × 3 kernel? And which gate bias, −5 or +5, closes the gates if T is the share of H?
#
# hint: The gates that do not move: what does autograd record inside a `with torch.no_grad()` block?


# %% task="repair"
def make_layers(channels, num_layers, gate_bias):
    """Return fresh layers, with filters that keep the size of the values that they read."""
    ### BEGIN SOLUTION
    layers = nn.ModuleList(Gated(channels) for _ in range(num_layers))
    for layer in layers:
        # A filter adds up 3 x 3 products for each map, not one.
        nn.init.normal_(layer.transform.weight, std=(2 / (9 * channels)) ** 0.5)
        nn.init.zeros_(layer.transform.bias)
        nn.init.constant_(layer.gate.bias, gate_bias)
    return layers
    ### END SOLUTION


def run_layers(layers, x):
    """Send maps (N, C, H, W) through the layers; each mixes its input x with its own h."""
    ### BEGIN SOLUTION
    for layer in layers:
        means = x.mean(dim=(2, 3))  # over height and width: one number for each map
        t = layer.gate(means).sigmoid()[:, :, None, None]  # without no_grad, so gates learn
        # T is the share of H, so with a negative bias the layer starts by passing x on.
        x = t * layer.transform(x).relu() + (1 - t) * x
    return x
    ### END SOLUTION


# %% check="repair_check" points=4
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks


@checks.beside
class _Gated(nn.Module):
    """The parameters of one layer."""

    def __init__(self, channels):
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Linear(channels, channels)


@checks.beside
def _built(make_layers, channels, num_layers, gate_bias):
    """Return what the check needs to know about fresh layers."""
    layers = make_layers(channels, num_layers, gate_bias)
    if layers is None:
        return None
    each = list(layers)
    parts = {"filters": "transform.weight", "biases": "transform.bias", "gates": "gate.bias"}
    return {
        "number": len(each),
        "different": len({id(layer) for layer in each}),
        "known": isinstance(layers, nn.Module) and sum(v.numel() for v in layers.parameters()),
    } | {
        name: [layer.get_parameter(place).detach().clone() for layer in each]
        for name, place in parts.items()
    }


@checks.beside
def _together(make_layers, run_layers, channels, gate_bias, x):
    return run_layers(make_layers(channels, 2, gate_bias), x)


@checks.beside
def _ran(run_layers, states, x):
    """Return the maps, and the gradient of their sum of squares at each parameter and at x."""
    layers = nn.ModuleList(_Gated(x.shape[1]) for _ in states)
    for layer, state in zip(layers, states, strict=True):
        layer.load_state_dict(state)
    x = x.clone()
    leaf = x.clone().requires_grad_()
    maps = run_layers(layers, x)
    again = run_layers(layers, leaf * 1.0)
    names, values = zip(*layers.named_parameters(), strict=True)
    gradients, stopped = [None] * (len(values) + 1), None
    try:
        wanted = [*values, leaf]
        gradients = torch.autograd.grad(again.square().sum(), wanted, allow_unused=True)
    except RuntimeError as error:
        stopped = str(error)
    return maps.detach(), x, dict(zip((*names, "x"), gradients, strict=True)), stopped


def check_small(make_layers, run_layers):
    built = _built(make_layers, 5, 3, -1.0)
    x = checks.random_tensor(2, 5, 4, 6)
    maps = None if built is None else _together(make_layers, run_layers, 5, -1.0, x.clone())
    if maps is None:
        raise checks.NotAnswered
    checks.require(built["number"] == 3, f"You make {built['number']} layers, expected 3.")
    found = tuple(getattr(maps, "shape", ()))
    checks.require(found == (2, 5, 4, 6), f"Your maps are of shape {found}, expected (2, 5, 4, 6).")


repair_is_right = checks.show(check_small, make_layers, run_layers)


### BEGIN HIDDEN TESTS
def check_answer(make_layers, run_layers):
    import torch
    import torch.nn.functional as F

    check_small(make_layers, run_layers)

    # Fresh layers.
    for channels, gate_bias in ((24, -3.0), (16, 1.5)):
        built = _built(make_layers, channels, 3, gate_bias)
        sentence = "You use the same layer several times: each needs its own weights."
        checks.require(built["different"] == 3, sentence)
        sentence = "Not all parameters are registered with your module: use an nn.ModuleList."
        checks.require(built["known"] == 3 * (10 * channels**2 + 2 * channels), sentence)
        gates, biases = (torch.stack(built[name]) for name in ("gates", "biases"))
        off = f"gate biases start at {gates.mean():.3g}, expected {gate_bias}."
        checks.require(bool(torch.all(gates == gate_bias)), f"Your {off}")
        checks.require(not bool(biases.any()), "The biases of your filters do not start at 0.")
        filters = torch.stack(built["filters"])
        found, right = filters.std().item(), (2 / (9 * channels)) ** 0.5
        slips = {
            "you count one value for each map that a filter reads: it reads nine": 3,
            "you count one value for each map, and leave out the 2": 3 / 2**0.5,
            "you leave out the 2: a ReLU halves the mean square": 0.5**0.5,
            "you count the kernel's side, not its area": 3**0.5,
            "you take the variance for the standard deviation": right,
            "you leave the filters as torch.nn initialises them": 6**-0.5,
            "you set the standard deviation to 1": 1 / right,
        }
        for slip, factor in slips.items():
            close = abs(found / (factor * right) - 1) < 0.07
            sentence = (
                f"Your filters have a standard deviation of {found:.4f}: you get this if {slip}."
            )
            checks.require(not close, sentence)
        sentence = f"Your filters have a standard deviation of {found:.4f}, expected {right:.4f}."
        checks.require(abs(found / right - 1) < 0.07, sentence)

    # What they compute.
    def ours(states, x, mix=lambda h, t, x: t * h + (1 - t) * x, means=None, gate=torch.sigmoid):
        """Run the layers by the definition, or with a slip."""
        for state in states:
            h = F.conv2d(x, state["transform.weight"], state["transform.bias"], padding=1).relu()
            mean = means(x) if means else x.mean(dim=(2, 3))
            t = gate(F.linear(mean, state["gate.weight"], state["gate.bias"]))[:, :, None, None]
            x = mix(h, t, x)
        return x

    def over_batch(x):
        return x.mean(dim=(0, 2, 3)).expand(len(x), -1)

    slips = {
        "you multiply x by T, and H by 1 - T: then a negative bias opens the gate": {
            "mix": lambda h, t, x: (1 - t) * h + t * x
        },
        "you carry x in full, as in a residual block": {"mix": lambda h, t, x: t * h + x},
        "you carry nothing": {"mix": lambda h, t, x: t * h},
        "you multiply both H and x by T": {"mix": lambda h, t, x: t * (h + x)},
        "you put the sum through a ReLU": {"mix": lambda h, t, x: (t * h + (1 - t) * x).relu()},
        "you use a softmax: then an image's gates compete": {"gate": lambda x: x.softmax(dim=1)},
        "you leave out the sigmoid": {"gate": lambda x: x},
        "the gates read the maximum of each map, not its mean": {
            "means": lambda x: x.amax(dim=(2, 3))
        },
        "the gates read the sum of each map, not its mean": {"means": lambda x: x.sum(dim=(2, 3))},
        "you average over all images: each has its own gates": {"means": over_batch},
    }
    for seed, (number, channels, size) in enumerate(
        [(3, 6, (5, 7)), (1, 4, (4, 4)), (4, 5, (6, 3))]
    ):
        shapes = {name: value.shape for name, value in _Gated(channels).state_dict().items()}
        states = [
            {
                name: 0.4 * checks.random_tensor(*shape, seed=1000 * seed + 10 * layer + place)
                for place, (name, shape) in enumerate(shapes.items())
            }
            for layer in range(number)
        ]
        x = checks.random_tensor(3, channels, *size, seed=1000 * seed + 900)
        maps, given, gradients, stopped = _ran(run_layers, states, x)
        checks.require(torch.equal(given, x), "Your run_layers changes the maps that it is given.")
        wrong = {slip: ours(states, x, **change) for slip, change in slips.items()}
        checks.require_tensor(maps, ours(states, x), wrong, tolerance=1e-4)
        leaves = {
            f"{layer}.{name}": value.requires_grad_()
            for layer, state in enumerate(states)
            for name, value in state.items()
        }
        leaves["x"] = x.requires_grad_()
        right = torch.autograd.grad(ours(states, x).square().sum(), list(leaves.values()))
        sentence = f"Backpropagation through your run_layers stops with an error: {stopped}"
        checks.require(stopped is None, sentence)
        for name, found in gradients.items():
            kind = "gate" if "gate" in name else "transform" if "transform" in name else "input"
            sentence = f"No gradient reaches the {kind} of your layers: is something detached?"
            checks.require(found is not None and bool(found.any()), sentence)
        for name, expected in zip(leaves, right, strict=True):
            size = float(expected.abs().max())
            close = torch.allclose(gradients[name], expected, rtol=1e-3, atol=1e-3 * size)
            sentence = "Your maps are right, but their gradients are not: something is detached."
            checks.require(close, sentence)


checks.award(4, check_answer, make_layers, run_layers)
### END HIDDEN TESTS

# %% [markdown]
# The next cell draws the same curves for your functions.

# %% tags=["nbval-ignore-output"]
if repair_is_right:
    show(
        growth(make_layers, run_layers),
        "Root mean square of the maps over 12 layers, on a logarithmic scale: with a gate bias of "
        "−5 it hardly changes; with +5 it drifts by less than a factor of ten",
    )
else:
    print("The curves of the repaired layers appear here once task 3 is done.")

# %% [markdown] tier="investigate" minutes=14
# ## Task 4: is it the start?
#
# The lesson constructed good weights for a plain net of 56 layers: those of a shallow net, and
# additional layers that pass everything on. Training from a random start does not find such
# weights. Suppose that the additional layers *begin* by passing everything on, and are then trained
# like all others: there is no shortcut, and nothing keeps them near the identity. **Does the deep
# plain net train then?**

# %% readonly="depth"
width, more = own_depth(student_id)

# %%
print(f"your shallow net has three hidden layers of {width} units; your deep nets have {more} more")

# %% [markdown]
# **Predict first.** After equal training, will the training loss of the deep net that starts with
# identity layers be closer to that of the `"shallow"` net, or to that of the deep net from a
# `"random"` start? Write down one of the two words before you run anything. A wrong prediction
# costs nothing; without a prediction, the experiment is not marked.

# %% task="prediction"
predicted = None  # "shallow" or "random"
### BEGIN SOLUTION
predicted = "random"  # no shortcut protects the identity: training may destroy it at once
### END SOLUTION

# %% [markdown]
# **Now the experiment.** `final_loss(width, more, start, seed)` trains a net in a few seconds, and
# returns its training loss. With `more` = 0 it is the shallow net, whatever the start. Train four
# nets, each with the seeds 0, 1 and 2: the shallow one, and deep ones from the starts `"random"`,
# `"identity"`, and a **control of your choice** from `CONTROLS`; `start_layer` in the set-up cell
# shows what each does. Choose the control whose result could *contradict* the reason for your
# prediction.
#
# Then report what depth costs from each of the three starts: the mean of the three differences
# *deep net's training loss − shallow net's*, seed by seed, and its standard error: the standard
# deviation of the three differences (dividing by n − 1), divided by √3.
#
# hint: `[final_loss(width, 0, "random", seed) for seed in range(3)]` are the shallow nets' losses.
#
# hint: Which of these properties does each control share with the identity: no information is lost,
# each unit keeps its place, values keep their size, the weights are not random?
#
# hint: `torch.tensor(one) - torch.tensor(other)` subtracts seed by seed; `.std()` divides by n − 1,
# and `.item()` makes a Python float.

# %% task="experiment" tags=["nbval-ignore-output"]
control = None  # "permutation", "orthogonal" or "small"
losses = None  # {"shallow": three losses, "random": three, "identity": three, control: three}
cost = None  # {"random": (mean of the three differences, its standard error), "identity": ...}
### BEGIN SOLUTION
control = "permutation"  # passes everything on, too, but in a different order
losses = {"shallow": [final_loss(width, 0, "random", seed) for seed in range(3)]}
for start in ("random", "identity", control):
    losses[start] = [final_loss(width, more, start, seed) for seed in range(3)]
cost = {}
for start, found in losses.items():
    print(f"{start:11}", [f"{loss:.2f}" for loss in found])
    gaps = torch.tensor(found) - torch.tensor(losses["shallow"])  # the same seed in both
    if start != "shallow":
        cost[start] = gaps.mean().item(), (gaps.std() / 3**0.5).item()
        print(f"            depth costs {cost[start][0]:+.2f} ± {cost[start][1]:.2f}")
### END SOLUTION

# %% check="experiment_check" points=2 tags=["nbval-ignore-output"]
import torch

from course_utils import checks


def check_small(predicted, control, losses, cost):
    if control is None and losses is None and cost is None:
        raise checks.NotAnswered
    sentence = 'Write your prediction down before the experiment: "shallow" or "random".'
    checks.require(predicted in ("shallow", "random"), sentence)
    checks.require(control in CONTROLS, f"Your control must be one of {CONTROLS}.")
    starts = ("random", "identity", control)
    fits = isinstance(losses, dict) and losses.keys() == {"shallow", *starts}
    checks.require(fits, f"losses must be a dictionary with the keys {('shallow', *starts)}.")
    for start, values in losses.items():
        fits = isinstance(values, list | tuple) and len(values) == 3
        fits = fits and all(isinstance(each, float) and 0 < each < 100 for each in values)
        sentence = f"{start} must have three losses, for the seeds 0, 1 and 2, not {values!r}."
        checks.require(fits, sentence)
        checks.require(
            len(set(values)) > 1, f"All losses of {start} are the same: change the seed."
        )
    sentence = "Your shallow nets are hardly better than chance: more must be 0 for them."
    checks.require(max(losses["shallow"]) < 1.6, sentence)
    hint = "Only the shallow nets have more = 0, and each deep one has its own start."
    for start in losses:
        same = [other for other in losses if list(losses[other]) == list(losses[start])]
        sentence = f"{' and '.join(same)} have the same losses. {hint}"
        checks.require(same == [start], sentence)
    fits = isinstance(cost, dict) and cost.keys() == set(starts)
    fits = fits and all(isinstance(row, list | tuple) and len(row) == 2 for row in cost.values())
    fits = fits and all(isinstance(each, float) for row in cost.values() for each in row)
    checks.require(fits, f"cost must have a pair of Python floats for each of {starts}.")


def _in_words(cost):
    try:
        return ", ".join(f"{a:+.2f} ± {b:.2f} ({start})" for start, (a, b) in cost.items())
    except (AttributeError, TypeError, ValueError):
        return "nothing yet"


_BESIDE = (
    f"you predicted {predicted}; depth costs {_in_words(cost)}: say below what your control shows"
)
experiment_is_right = checks.show(check_small, predicted, control, losses, cost, fine=_BESIDE)


### BEGIN HIDDEN TESTS
def check_answer(predicted, control, losses, cost):
    import torch

    check_small(predicted, control, losses, cost)

    def require_close(value, expected, slips, start):
        for slip, wrong in slips.items():
            near = abs(value - wrong) < 1e-4 < 2e-4 < abs(wrong - expected)
            sentence = f"For {start}, {value:.4f} is what you get if {slip}."
            checks.require(not near, sentence)
        sentence = (
            f"For {start}, {value:.4f} does not follow from your losses: {expected:.4f} does."
        )
        checks.require(abs(value - expected) < 1e-4, sentence)

    for start, (mean, error) in cost.items():
        found = torch.tensor(losses[start]).double()
        shallow = torch.tensor(losses["shallow"]).double()
        right = checks.paired_seeds(losses[start], losses["shallow"])
        slips = right.mean_slips | {
            "you subtract the other way round": -right.mean,
            "you report its loss, not what depth costs": found.mean().item(),
            "you compare with the random start": (
                checks.paired_seeds(losses[start], losses["random"]).mean
            ),
            "you divide by the shallow net's loss": (found / shallow - 1).mean().item(),
        }
        require_close(mean, right.mean, slips, start)
        slips = right.error_slips | {
            "you take the error of its losses, not of the gaps": (found.std() / 3**0.5).item(),
        }
        require_close(error, right.error, slips, start)
    width, more = own_depth(student_id)
    for start, added in (("shallow", 0), ("identity", more)):
        again, loss = final_loss(width, added, "identity", 0), losses[start][0]
        what = f"With seed 0 your {start} net reaches a loss of"
        checks.require_again(what, loss, again, tolerance=0.15)


checks.award(2, check_answer, predicted, control, losses, cost)
### END HIDDEN TESTS

# %% [markdown]
# **In a few sentences:** What did you predict, and what did the experiment show, given the standard
# errors? Why did you choose your control, and what does it say about *what* makes a start good or
# bad? Somebody concludes from your numbers that nobody needs shortcuts: what would you have to
# measure before you agree? 2 points, graded by a person.

# %% [markdown] written="is_it_the_start" points=2
# **A model answer.** I predicted that a start with identity layers would not help, because nothing
# keeps the layers there; but from this start depth costs 0.07 ± 0.05, which may be nothing, and
# from a random one 0.56 ± 0.12, so in my nets most of the cost of depth comes from the start. I
# chose the permutation because it also passes everything on, but reorders the units, and it costs
# 0.11 ± 0.02, a fifth of what the random start costs: a layer need not begin as the identity, as
# long as it passes its whole input on, which layers of random weights and ReLUs do not. (An
# orthogonal start, which keeps angles and ratios of lengths but not signs, trains badly, too, and
# the small one does not learn at all.) I would agree only if deep nets from this start became
# *better* than the shallow one when all are trained until their loss no longer falls. This should
# hold with convolutions and BN, too, where some layers change the number of channels and cannot be
# identities; and a residual net with the same seeds should be no better.
#
# **Marking scheme.** The numbers are the student's own; the feedback page shows them.
#
# - 1 point: the answer compares prediction and measurement *with* the standard errors, and calls a
#   difference within two of them undecided. Half a point without the errors. A wrong prediction
#   costs nothing.
# - 1 point: the answer says what the control shares with the identity and what it does not, draws
#   only the conclusion that its numbers allow (permutation: the place does not matter; orthogonal:
#   keeping sizes is not enough; small: a net whose signal shrinks does not learn), *and* names a
#   measurement without which shortcuts cannot be called dispensable (longer training, better than
#   shallow, convolutions with BN, a residual net for comparison). Half a point for only one of
#   these.
