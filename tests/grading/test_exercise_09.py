"""Exercise 09 accepts right answers in any style, and names what is wrong with the others.

Every fault that the exercise plants has been made, and reported, in public:

* a softmax before a loss that has its own: https://github.com/ariecattan/SciCo/issues/2
* gradients that nobody sets to 0: https://github.com/yastrebksv/TennisCourtDetector/issues/7
* accuracy measured in training mode: https://github.com/fxia22/pointnet.pytorch/pull/19
"""

import pytest
import torch

SLUG = "09_vgg"

HARMLESS = """
def harmless_weights(channels, k):
    weights = torch.zeros(channels, channels, k, k)
    {fill}
    return {result}
"""
DIAGONAL = "weights[range(channels), range(channels), k // 2, k // 2] = 1"


def harmless(fill=DIAGONAL, result="weights"):
    return HARMLESS.format(fill=fill, result=result)


EINSUM = """
def harmless_weights(channels, k):
    row = (torch.arange(k) == k // 2).double()
    return torch.einsum("oi,p,q->oipq", torch.eye(channels).double(), row, row)
"""
PADDED = """
def harmless_weights(channels, k):
    return F.pad(torch.eye(channels)[..., None, None], [k // 2] * 4)
"""
DESIGN = """
from itertools import product
def cost(counts, width, size=32):
    total, work, c, seen, jump = 0, 0, 3, 1, 1
    for block, count in enumerate(counts):
        for _ in range(count):
            layer = 9 * c * width * 2 ** block
            total += layer + width * 2 ** block
            work += layer * size ** 2
            c, seen = width * 2 ** block, seen + 2 * jump
        seen, jump, size = seen + jump, 2 * jump, size // 2
    return seen, total, work

def layers_per_block(field, width, max_parameters, max_multiply_adds):
    for counts in {order}(list(product(range(1, {most}), repeat=3))):
        seen, total, work = cost(counts, {width})
        if {fine}:
            return {result}
"""
FINE = "seen == field and total <= max_parameters and work <= max_multiply_adds"


def design(fine=FINE, most="field // 2 + 1", width="width", result="counts", order="list"):
    return DESIGN.format(fine=fine, most=most, width=width, result=result, order=order)


BY_SUMMARY = """
from itertools import product
def layers_per_block(field, width, max_parameters, max_multiply_adds):
    for counts in product(range(1, 8), repeat=3):
        if 8 + 2 * counts[0] + 4 * counts[1] + 8 * counts[2] == field:
            row = [(width << i, " ".join("3" * n)) for i, n in enumerate(counts)]
            made = summary(VGG(row, 3, pooled_size=1).blocks, (3, 32, 32))
            if made.parameters <= max_parameters and made.multiply_adds <= max_multiply_adds:
                return list(counts)
"""
LEAST_PRODUCT = """
import numpy as np
def layers_per_block(field, width, max_parameters, max_multiply_adds):
    c, b, a = np.meshgrid(*[np.arange(1, 40)] * 3)
    w = width
    weights = np.stack([9 * w * (3 + (a - 1) * w), 9 * 2 * w * (w + (b - 1) * 2 * w),
                        9 * 4 * w * (2 * w + (c - 1) * 4 * w)])
    parameters = weights.sum(0) + w * (a + 2 * b + 4 * c)
    work = (weights * np.array([1024, 256, 64])[:, None, None, None]).sum(0)
    fits = (2 * a + 4 * b + 8 * c == field - 8) & (parameters <= max_parameters)
    place = np.argwhere(fits & (work <= max_multiply_adds))[0]
    return torch.Size(int(each[tuple(place)]) for each in (a, b, c))
"""
REPAIR = """
def train_step(net, optimizer, images, labels):
    {before}
    loss = {loss}
    {zero}
    loss.backward()
    optimizer.step()
    return {result}

def accuracy(net, images, labels):
    {switch}
    return {share}
"""


def repair(
    before="net.train()",
    loss="F.cross_entropy(net(images), labels)",
    zero="optimizer.zero_grad()",
    result="loss.item()",
    switch="net.eval()",
    share="(net(images).argmax(1) == labels).float().mean().item()",
):
    return REPAIR.format(
        before=before, loss=loss, zero=zero, result=result, switch=switch, share=share
    )


BY_HAND = """
def train_step(net, optimizer, images, labels):
    net.train(True)
    parameters = list(net.parameters())
    logs = net(images).log_softmax(dim=-1)
    loss = -sum(row[label] for row, label in zip(logs, labels)) / len(labels)
    for value, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        value.grad = gradient
    optimizer.step()
    return float(loss.detach())

@torch.inference_mode()
def accuracy(net, images, labels):
    was = net.training
    net.train(False)
    hits = [int(net(image[None]).topk(1).indices.item() == label)
            for image, label in zip(images, labels)]
    net.train(was)
    return sum(hits) / len(hits)
"""
FIRST = "predicted = 9"
EXPERIMENT = """
def strength(net, power={power}):
    x = torch.randn({num}, 1, side, side, generator=torch.Generator().manual_seed(5))
    x.requires_grad_()
    return torch.autograd.grad(net(x).sum(), x)[0].abs().pow(power).mean(dim=(0, 1))

def smallest(values, share={share}):
    m = side // 2
    for r in range(m + 1):
        if values[m - r:m + r + 1, m - r:m + r + 1].sum() >= share * values.sum():
            return {result}

measured_stack, measured_single = {measured}
"""


def experiment(
    power=2,
    num=100,
    share=0.9,
    result="2 * r + 1",
    measured="smallest(strength(stack)), smallest(strength(single))",
):
    return EXPERIMENT.format(power=power, num=num, share=share, result=result, measured=measured)


BY_DISTANCE = """
row = (torch.arange(side) - side // 2).abs()
distance = torch.maximum(row[:, None], row[None]).flatten()
def used(net):
    net = net.double()
    total = torch.zeros(side * side).double()
    for image in torch.randn(150, 1, 1, side, side).double():
        image.requires_grad_()
        net(image).sum().backward()
        total += image.grad.flatten() ** 2
    net.float()
    held = [float(total[distance <= r].sum() / total.sum()) for r in range(side // 2 + 1)]
    return 1 + 2 * sum(share < 0.9 for share in held)
measured_stack, measured_single = used(stack), used(single)
"""
FUNCTIONAL = """
def used(net):
    weights = [weight.detach() for weight in net.parameters()]
    def total(image):
        x = image[None]
        for weight in weights:
            x = F.relu(F.conv2d(x, weight))
        return x.sum()
    noise = torch.randn(120, 1, side, side, generator=torch.Generator().manual_seed(3))
    squares = torch.func.vmap(torch.func.grad(total))(noise).square().sum((0, 1))
    inside, middle = 0, side // 2
    while squares[middle - inside:side - middle + inside,
                  middle - inside:side - middle + inside].sum() / squares.sum() < 0.9:
        inside += 1
    return 2 * inside + 1
measured_stack, measured_single = map(used, (stack, single))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("harmless", harmless()),
        ("harmless", harmless("torch.nn.init.dirac_(weights)", "nn.Parameter(weights)")),
        ("harmless", EINSUM),
        ("harmless", PADDED),
        ("design", design()),
        ("design", BY_SUMMARY),
        ("design", LEAST_PRODUCT),
        ("repair", repair()),
        ("repair", repair(loss="F.nll_loss(net(images).log_softmax(1), labels)",
                          zero="net.zero_grad(set_to_none=False)")),
        ("repair", BY_HAND),
        ("experiment", experiment()),
        ("experiment", BY_DISTANCE),
        ("experiment", FUNCTIONAL),
    ],
)  # fmt: skip
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


HARMLESS_IS, DESIGN_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("harmless", "design", "repair", "experiment")
)
WRONG = [
    # What the check at home lets through.
    (HARMLESS_IS, harmless("weights[:, :, k // 2, k // 2] = 1"), "filter read every map", True),
    (HARMLESS_IS, harmless("weights[:, :, k // 2, k // 2] = 1 / channels"), "average over", True),
    (HARMLESS_IS, harmless("weights[:, 0, k // 2, k // 2] = 1"), "read the first map", True),
    (HARMLESS_IS, harmless(result="weights.flip(0)"), "reverse the order", True),
    (HARMLESS_IS, harmless("weights[range(channels), range(channels), 1, 1] = 1"), "differs",
     True),
    (DESIGN_IS, design(most="5"), "not answered yet", True),
    (DESIGN_IS, design("seen == field and total <= max_parameters", order="reversed"),
     "multiply-adds: at most", False),
    (DESIGN_IS, design(width="8"), "parameters: at most", True),
    (REPAIR_IS, repair(loss="F.cross_entropy(net(images).softmax(1), labels)"), "put a softmax",
     True),
    (REPAIR_IS, repair(zero="pass"), "keep the gradients of earlier steps", True),
    (REPAIR_IS, repair(loss="F.cross_entropy(net(images).softmax(1), labels)", zero="pass"),
     "keep both the softmax", True),
    (REPAIR_IS, repair(before="pass"), "the net in evaluation mode: switch", True),
    (REPAIR_IS, repair(before="net.eval()"), "the net in evaluation mode: switch", True),
    (REPAIR_IS, repair(switch="pass"), "accuracy in training mode", True),
    (REPAIR_IS, repair(switch="net.train()"), "accuracy in training mode", True),
    (REPAIR_IS, repair(zero="optimizer.zero_grad(); loss = 2 * loss"), "after three steps of SGD",
     True),
    (REPAIR_IS, repair(result="2 * loss.item()"), "differs", True),
    (REPAIR_IS, repair(result="F.cross_entropy(net(images), labels).item()"), "a second pass",
     True),
    (REPAIR_IS, repair(share="(net(images).argmax(1) == labels).float().mean().item() / 2"),
     "differs", True),
    (EXPERIMENT_IS, experiment(power=1), "you do not square", True),
    (EXPERIMENT_IS, experiment(result="r"), "the distance from the middle", True),
    (EXPERIMENT_IS, experiment(share=0.5), "half of the total", True),
    (EXPERIMENT_IS, experiment(measured="side, side"), "is the whole field", True),
    (EXPERIMENT_IS, experiment(measured="smallest(strength(stack)),"
                               " smallest(strength(stack))"), "For your single layer", True),
    (EXPERIMENT_IS, experiment(measured="smallest(strength(single)),"
                               " smallest(strength(stack))"), "is the whole field", True),
    (EXPERIMENT_IS, experiment(share=0.75), "the smallest side is", True),
    # What it finds.
    (HARMLESS_IS, harmless("weights += 1"), "fill the kernel with ones", False),
    (HARMLESS_IS, harmless("pass"), "you leave all weights at 0", False),
    (HARMLESS_IS, harmless("weights[..., 0, 0] = 1"), "into a corner", False),
    (HARMLESS_IS, harmless(result="weights[0]"), "the shape (1, 3, 3)", False),
    (HARMLESS_IS, harmless(result="weights.tolist()"), "Return one tensor", False),
    (DESIGN_IS, design(result="(1, 1, 1)"), "have a field of 22 pixels", False),
    (DESIGN_IS, design(result="(0, *counts[1:])"), "are not possible", False),
    (DESIGN_IS, design(result="counts[:2]"), "answer with 3 numbers", False),
    (DESIGN_IS, design("seen == field + 1"), "not answered yet", False),
    (DESIGN_IS, design("seen == field", result="(max_parameters // 10, 1, 1)"), "not possible",
     False),
    (REPAIR_IS, repair(result="loss"), "Return a Python float", False),
    (REPAIR_IS, repair(result="0.0"), "A cross-entropy of 0", False),
    (REPAIR_IS, repair(share="100.0"), "is not between 0 and 1", False),
    (REPAIR_IS, repair(share="(net(images).argmax(1) == labels).float().mean()"), "not a Tensor",
     False),
    (EXPERIMENT_IS, experiment(result="2 * r"), "has an odd side", False),
    (EXPERIMENT_IS, experiment(result="float(2 * r + 1)"), "whole number", False),
    (EXPERIMENT_IS, experiment(measured="99, 99"), "has an odd side", False),
    (EXPERIMENT_IS, experiment(measured="5, None"), "not answered yet", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_an_answer_to_one_brief_alone_earns_nothing(exercise):
    space = exercise.setup()
    exec(design(), space)
    counts = space["layers_per_block"](*space["your_brief"](""))
    source = f"def layers_per_block(field, width, parameters, work):\n    return {counts}"
    exercise.assert_rejects("design_check", source, "pixels.")
    assert exercise.seen["design_check"]


def test_without_a_prediction_the_experiment_is_not_looked_at(exercise):
    exercise.assert_asks_for_prediction(experiment())


@pytest.mark.parametrize("predicted", [1, 17])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted}", experiment=experiment())
    assert f"you predicted {predicted} and measured 11" in capsys.readouterr().out


def test_the_faults_show_in_the_symptoms(exercise):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)
    losses, (mixed, by_class) = space["symptoms"](space["broken_step"], space["broken_accuracy"])
    assert min(losses) > 1.46
    assert losses[-1] > min(losses) + 0.05
    assert mixed - by_class > 0.2
    mended, (mixed, by_class) = space["symptoms"](space["train_step"], space["accuracy"])
    assert mended[-1] < 0.3 and mixed == pytest.approx(by_class, abs=1e-6)


def test_everybody_has_a_brief_that_can_be_fulfilled_and_nets_of_their_own(exercise, monkeypatch):
    space, briefs, nets = exercise.setup(), set(), set()
    exec(design(), space)
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        brief = space["your_brief"]("")
        assert min(space["layers_per_block"](*brief)) >= 1
        briefs.add(brief)
        stack, single, side = space["own_nets"]("")
        image = torch.ones(1, 1, side, side)
        assert stack(image).shape == single(image).shape == (1, 16, 1, 1)
        nets.add((side, stack(image).sum().item()))
    assert len(briefs) >= 5 and len(nets) == 20
