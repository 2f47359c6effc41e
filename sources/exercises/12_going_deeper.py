# %% [markdown]
# # Exercise 12: a gate, and gradients layer by layer
#
# **You practise** writing a highway layer, giving its gate a good start, and measuring the gradient
# layer by layer.
#
# **Minutes:** 45 &nbsp; **Points:** 15 &nbsp; **Before:** lesson 12
#
# | part | points | graded by |
# |---|---|---|
# | Pop quiz, three questions | 3 | the checks |
# | Task 1: the highway layer | 5 | the checks |
# | Task 2: gradient norms | 4 | the checks |
# | In your own words | 3 | a person |
#
# **How to work.** Replace the lines marked `YOUR ANSWER HERE`, then run the check below them. It
# tells you what is wrong, if it can; run it as often as you like. When this exercise is graded,
# further checks run on other inputs. Leave the checks as they are: grading uses its own copies.
#
# **Working on your own?** Once the checks find nothing wrong, compare your answers with the
# notebook of the same name in `solutions/`.

# %% readonly="setup"
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, quiz

# %% [markdown]
# Your student id, as your teacher writes it. It picks the numbers in your quiz, so that no two
# people get the same ones. If you work on your own, leave it empty.

# %%
student_id = ""

# %% [markdown]
# ## Pop quiz
#
# The check under a question looks only at the form of your answer, not at whether it is right.

# %% [markdown]
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

# %% quiz="stack_parameters"
stack_parameters = None  # parameters
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/12_going_deeper", "stack_parameters", student_id)
units, n = numbers["units"], numbers["n"]
stack_parameters = n * 2 * (units * units + units)  # H and T; C = 1 - T is free
### END SOLUTION

# %% [markdown]
# ### Question 3

# %% quiz="agreement"
agreement = None  # one number
### BEGIN SOLUTION
numbers = quiz.numbers("exercises/12_going_deeper", "agreement", student_id)
a, b = numbers["a"], numbers["b"]
agreement = a * b / (2 * (a * a + b * b))
### END SOLUTION

# %% [markdown]
# ## Task 1: the highway layer
#
# Complete the class: $\mathbf{y} = H(\mathbf{x}) \cdot T(\mathbf{x}) + \mathbf{x} \cdot (1 -
# T(\mathbf{x}))$ for x (N, `num_units`), where $H$ is a linear layer and a ReLU, and $T$ a linear
# layer and a sigmoid. Each unit has its own gate. Initialise all biases of the gate with
# `gate_bias`; leave everything else as `torch.nn` initialises it.


# %% task="highway"
class Highway(nn.Module):
    """A fully connected layer that may let its input through."""

    def __init__(self, num_units: int, gate_bias: float = -2.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.transform = nn.Linear(num_units, num_units)
        self.gate = nn.Linear(num_units, num_units)
        nn.init.constant_(self.gate.bias, gate_bias)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        h = F.relu(self.transform(x))
        t = torch.sigmoid(self.gate(x))
        return h * t + x * (1 - t)
        ### END SOLUTION


# %% check="highway_start_check" points=2
import torch

from course_utils import checks


def _run(layer, x):
    output = layer(x)
    if output is None:
        raise checks.NotAnswered
    checks.require(isinstance(output, torch.Tensor), "return one tensor")
    checks.require_own_layers(layer)
    return output


def check_start(Highway):
    x = torch.tensor([[1.0, -2.0, 3.0, -4.0]])
    layer = Highway(4, gate_bias=-50.0)
    closed = _run(layer, x)
    parameters = checks.parameters_of(layer).values()
    count = sum(parameter.numel() for parameter in parameters)
    slips = {
        "you give the carry gate its own weights: it is 1 - T": 60,
        "you make one gate for the whole layer: each unit has its own": 25,
        "you leave out the biases": 32,
        "your gate has no bias": 36,
        "your gate has no weights: it reads x": 24,
    }
    checks.require_number(count, 40, slips)
    started = sum(int((parameter == -50.0).sum()) for parameter in parameters)
    checks.require(started > 0, "no bias starts at gate_bias")
    sentence = f"{started} numbers start at gate_bias, expected the gate's 4 biases"
    checks.require(started == 4, sentence)
    sentence = "with all gates closed (T = 0) your layer must return x"
    checks.require(torch.allclose(closed, x, atol=1e-4), sentence)
    opened = _run(Highway(4, gate_bias=50.0), x)
    sentence = (
        "with all gates open (T = 1) your layer must return H(x): nothing of x, never negative"
    )
    checks.require(bool((opened >= -1e-4).all()), sentence)


start_is_right = checks.show(check_start, Highway)


### BEGIN HIDDEN TESTS
def check_answer(Highway):
    check_start(Highway)
    values = checks.parameters_of(Highway(6)).values()
    started = sum(int((value == -2.0).sum()) for value in values)
    checks.require(started == 6, "without a second argument the gate's biases must be -2")


checks.award(2, check_answer, Highway)
### END HIDDEN TESTS

# %% check="highway_numbers_check" points=3
import torch

from course_utils import checks


def check_gradient(Highway):
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5], [0.0, 1.0]], requires_grad=True)
    layer = Highway(2)
    output = _run(layer, x)
    checks.require(output.shape == (3, 2), f"your output is {tuple(output.shape)}, expected (3, 2)")
    checks.require(output.requires_grad, "no gradient flows through your layer")
    gradients = checks.gradients_of(layer, x)
    dead = [name for name, gradient in gradients.items() if gradient is None]
    checks.require(not dead, f"no gradient reaches {', '.join(dead)}")


numbers_are_right = checks.show(check_gradient, Highway)


### BEGIN HIDDEN TESTS
def check_answer(Highway):
    import torch

    check_gradient(Highway)

    def halves(parameters, d):
        """Return H's and T's halves, even if the learner computes both in one layer."""
        return [part for p in parameters for part in p.split(d)]

    def right(x, h, t):
        return h.relu() * t.sigmoid() + x * (1 - t.sigmoid())

    slips = {
        "you swap T and 1 - T": lambda x, h, t: right(x, h, -t),
        "you leave out the ReLU in H": lambda x, h, t: h * t.sigmoid() + x * (1 - t.sigmoid()),
        "you use tanh in H": lambda x, h, t: h.tanh() * t.sigmoid() + x * (1 - t.sigmoid()),
        "you use a sigmoid in H": lambda x, h, t: h.sigmoid() * t.sigmoid() + x * (1 - t.sigmoid()),
        "you carry x in full, as in a residual block": lambda x, h, t: h.relu() * t.sigmoid() + x,
        "you carry nothing": lambda x, h, t: h.relu() * t.sigmoid(),
        "you put the sum through a ReLU": lambda x, h, t: right(x, h, t).relu(),
        "you use a softmax as the gate: its units compete": lambda x, h, t: (
            h.relu() * t.softmax(1) + x * (1 - t.softmax(1))
        ),
    }
    for seed, (d, n) in enumerate([(5, 7), (8, 3)]):
        layer = Highway(d, gate_bias=-0.75)
        x = 2 * checks.random_tensor(n, d, seed=seed)
        before = x.clone()
        answer = _run(layer, x).detach()
        checks.require(torch.equal(x, before), "your layer changes its input")
        parameters = checks.parameters_of(layer).values()
        weights = halves([p for p in parameters if p.dim() == 2], d)
        biases = halves([p for p in parameters if p.dim() == 1], d)
        checks.require(len(weights) == len(biases) == 2, "H and T must each be one linear layer")
        biases.sort(key=lambda bias: bool((bias == -0.75).all()))  # the gate's is the last

        def close(formula, swapped=False, x=x, weights=weights, biases=biases, answer=answer):
            b_h, b_t = biases[::-1] if swapped else biases
            rows = [(x @ w.T + b_h, x @ v.T + b_t) for w, v in (weights, weights[::-1])]
            outputs = [formula(x, h, t) for h, t in rows]
            return any(torch.allclose(answer, output, 1e-4, 1e-5) for output in outputs)

        if not close(right):
            for slip, formula in slips.items():
                sentence = f"your output is what you get if {slip}"
                checks.require(not close(formula), sentence)
            checks.require(not close(right, swapped=True), "gate_bias starts H's bias, not T's")
            raise checks.CheckFailed("your output differs from H(x) T(x) + x (1 - T(x))")


checks.award(3, check_answer, Highway)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2: gradient norms
#
# Complete the function. It computes the mean cross-entropy of the model's logits and returns, for
# each parameter with two or more dimensions (weights, but no biases), in the order of
# `model.parameters()`, the norm of its gradient: the square root of the sum of all squares.
# Gradients left over from earlier must not count, and no weight may change.


# %% task="norms"
def gradient_norms(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return the norm of the gradient of each layer's weights."""
    ### BEGIN SOLUTION
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    return [p.grad.norm().item() for p in model.parameters() if p.dim() > 1]
    ### END SOLUTION


# %% check="norms_check" points=4
import torch
from torch import nn

from course_utils import checks


def _as_floats(answer, num_layers):
    if answer is None:
        raise checks.NotAnswered
    sentence = f"return a list of numbers, not {type(answer).__name__}"
    checks.require(type(answer) in (list, tuple), sentence)
    sentence = "your list contains tensors: a tensor of one number has .item()"
    checks.require(not any(isinstance(norm, torch.Tensor) for norm in answer), sentence)
    sentence = f"your list has {len(answer)} numbers, expected {num_layers}: weights, no biases"
    checks.require(len(answer) == num_layers, sentence)
    return list(answer)


@checks.beside
class _Net(nn.Sequential):
    """One of three small nets."""

    def __init__(self, kind):
        if kind == "one layer":
            super().__init__(nn.Linear(2, 2))
        elif kind == "stack":
            stack = [layer for _ in range(3) for layer in (nn.Linear(6, 6), nn.ReLU())]
            super().__init__(nn.Flatten(), nn.Linear(8, 6), *stack, nn.Linear(6, 3))
        else:
            last = nn.Linear(4, 3, bias=False)
            super().__init__(nn.Conv2d(2, 4, 2), nn.ReLU(), nn.Flatten(), last)


@checks.beside
def _measured(gradient_norms, kind, state, images, labels):
    """Return two measurements in a row, and the weights afterwards."""
    model = _Net(kind)
    model.load_state_dict(state)
    first = gradient_norms(model, images, labels)
    model(images).square().sum().backward()  # leaves gradients behind
    return first, gradient_norms(model, images, labels), dict(model.state_dict())


def check_small(gradient_norms):
    state = {"0.weight": torch.zeros(2, 2), "0.bias": torch.zeros(2)}
    images, labels = torch.tensor([[3.0, 4.0], [3.0, 4.0]]), torch.tensor([0, 0])
    slips = {
        "you add up the losses: take their mean": 7.0710678,
        "you forget the square root": 12.5,
        "you average the absolute values": 1.75,
        "you add up the absolute values": 7.0,
        "you take the largest number": 2.0,
        "you take the norm of the weights, not of their gradient": 0.0,
        "you put a softmax before the cross-entropy, which has its own": 1.7677670,
    }
    first, second, _ = _measured(gradient_norms, "one layer", state, images, labels)
    (norm,) = _as_floats(first, 1)
    checks.require_number(norm, 3.5355339, slips)
    (norm,) = _as_floats(second, 1)
    slips = {"you keep gradients from earlier": 7.0710678}
    checks.require_number(norm, 3.5355339, slips)


norms_are_right = checks.show(check_small, gradient_norms)


### BEGIN HIDDEN TESTS
def check_answer(gradient_norms):
    import torch
    import torch.nn.functional as F

    check_small(gradient_norms)

    def ours(model, images, labels, change=lambda logits: logits):
        weights = [p for p in model.parameters() if p.dim() > 1]
        loss = F.cross_entropy(change(model(images)), labels)
        return [gradient.norm().item() for gradient in torch.autograd.grad(loss, weights)]

    torch.manual_seed(checks.generator().initial_seed())
    for seed, kind in enumerate(["stack", "convolution"]):
        model = _Net(kind)
        images = checks.random_tensor(5, 2, 2, 2, seed=seed)
        labels = torch.tensor([0, 2, 1, 1, 0])
        right = ours(model, images, labels)
        softmax = ours(model, images, labels, lambda logits: logits.softmax(1))
        state = dict(model.state_dict())
        _, answer, after = _measured(gradient_norms, kind, state, images, labels)
        answer = _as_floats(answer, len(right))
        same = all(map(torch.equal, state.values(), after.values()))
        checks.require(same, "your function changes the weights: measure, but take no step")
        for norm, expected, slip in zip(answer, right, softmax, strict=True):
            slips = {
                "you put a softmax before the cross-entropy, which has its own": slip,
                "you list the layers in reverse order": right[-1 - right.index(expected)],
            }
            checks.require_number(norm, expected, slips, tolerance=1e-4)


checks.award(4, check_answer, gradient_norms)
### END HIDDEN TESTS

# %% [markdown]
# ## What it is good for
#
# Here are your gradient norms for 30 layers, once plain and once highway layers, both untrained.

# %%
if norms_are_right and start_is_right:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(64, 50, generator=generator), torch.arange(64) % 10
    torch.manual_seed(checks.generator().initial_seed())
    makers = {"plain": lambda: nn.Sequential(nn.Linear(50, 50), nn.ReLU())}
    makers["highway"] = lambda: Highway(50)
    for name, make in makers.items():
        net = nn.Sequential(*[make() for _ in range(30)], nn.Linear(50, 10))
        norms = gradient_norms(net, images, labels)
        first, middle, last = norms[0], norms[len(norms) // 2], norms[-2]
        print(f"{name:8} first {first:.1e}   middle {middle:.1e}   last hidden {last:.1e}")
else:
    print("The gradients of two deep stacks appear here once tasks 1 and 2 are done.")

# %% [markdown]
# ## In your own words
#
# A net of 56 plain layers with batch normalisation has a higher training loss than one of 20.
# **(a)** Why is that not overfitting? **(b)** Why can you rule out that the deeper net *has* no
# good weights? **(c)** Somebody says "vanishing gradients". Which measurement would you ask for,
# and what did the lesson find? Four to six sentences, 3 points, read by a person.

# %% [markdown] written="degradation" points=3
# **A model answer.** Overfitting means a low training loss and a high validation loss; here the
# training loss itself is high. Good weights exist: take the trained net of 20 layers and insert
# layers that copy their input, and the deeper net computes the same. So training does not find
# them: it is a problem of optimisation. To test "vanishing gradients" I would ask for the norm of
# the gradient at each layer, before and during training. In the lesson the norms of the untrained
# net with batch normalisation do not vanish towards the input, they grow; what is lost is the
# agreement of the gradients at neighbouring inputs.
#
# **Marking scheme.**
#
# - (a) 1 point: the *training* loss is what is high.
# - (b) 1 point: the construction with layers that do nothing, or the same idea.
# - (c) 1 point: the gradient norm by layer, *and* that it does not vanish with batch normalisation.
#   Half a point for one of the two.
