"""Exercise 08 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* images normalised twice: https://github.com/soumith/imagenet-multiGPU.torch/pull/18
* accuracy measured in training mode: https://github.com/udacity/deep-learning-v2-pytorch/issues/3
* a validation set that is augmented, too:
  https://github.com/gpleiss/efficient_densenet_pytorch/issues/51
* dropout without a factor for what is left: https://github.com/rbgirshick/py-faster-rcnn/issues/211
"""

import pytest

SLUG = "08_alexnet"

FITTING = """
def fitting_sizes(kernel_size, stride, padding, smallest, largest):
    found = []
    for n in range(smallest, {last}):
        if {fits}:
            found.append(n)
    return {result}
"""
FITS = "n + 2 * padding >= kernel_size and (n + 2 * padding - kernel_size) % stride == 0"


def fitting(fits=FITS, last="largest + 1", result="found"):
    return FITTING.format(fits=fits, last=last, result=result)


IN_STEPS = """
def fitting_sizes(kernel_size, stride, padding, smallest, largest):
    first = kernel_size - 2 * padding
    if smallest > first:
        first += -((first - smallest) // stride) * stride
    return list(range(first, largest + 1, stride))
"""
BY_WINDOWS = """
def fitting_sizes(kernel_size, stride, padding, smallest, largest):
    def fits(n):
        row = torch.arange(n + 2 * padding)
        return len(row) >= kernel_size and row.unfold(0, kernel_size, stride)[-1, -1] == row[-1]
    return [*filter(fits, range(smallest, largest + 1))]
"""
CROPS = """
def ten_crops(net, images, size):
    (h, w), before = images.shape[-2:], net.training
    {switch}
    places = {places}
    crops = [images[..., i:i + size, j:j + size] for i, j in places]
    views = {views}
    with torch.no_grad():
        found = {found}
    {back}
    return found
"""
PLACES = "[(0, 0), (0, w - size), (h - size, 0), (h - size, w - size), MIDDLE]"
MIDDLE = "((h - size) // 2, (w - size) // 2)"
FIVE = PLACES.replace("MIDDLE", MIDDLE)


def crops(
    switch="net.eval()",
    places=FIVE,
    views="crops + [crop.flip(-1) for crop in crops]",
    found="sum(net(view).softmax(1) for view in views) / len(views)",
    back="net.train(before)",
):
    return CROPS.format(switch=switch, places=places, views=views, found=found, back=back)


ONE_BATCH = """
@torch.inference_mode()
def ten_crops(net, images, size):
    windows = images.unfold(2, size, 1).unfold(3, size, 1)
    h, w = windows.shape[2] - 1, windows.shape[3] - 1
    rows, columns = torch.tensor([[0, 0], [0, w], [h, 0], [h, w], [h // 2, w // 2]]).T
    five = windows[:, :, rows, columns].movedim(2, 0)
    ten = torch.cat([five, five.flip(-1)]).flatten(0, 1)
    modes = [module.training for module in net.modules()]
    logits = net.eval()(ten)
    for module, mode in zip(net.modules(), modes):
        module.training = mode
    return logits.softmax(-1).view(10, len(images), -1).mean(0)
"""
ONE_BY_ONE = """
def ten_crops(net, images, size):
    was = net.training
    net.train(False)
    try:
        return torch.stack([
            torch.stack([
                net(view.contiguous()[None].float()).detach().log_softmax(1).exp()[0]
                for view in views(image, size)
            ]).mean(dim=0)
            for image in images
        ])
    finally:
        net.train(was)

def views(image, size):
    h, w = image.shape[1] - size, image.shape[2] - size
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1), (None, None)):
        i, j = (h // 2, w // 2) if top is None else (top * h, left * w)
        crop = image.narrow(1, i, size).narrow(2, j, size)
        yield crop
        yield crop[:, :, torch.arange(size - 1, -1, -1)]
"""
REPAIR = """
def drop(x, p, training):
    {drop}

def prepare(images, training):
    if {moving}:
        padded = {padded}
        places = {places}
        images = torch.stack([one[:, i:i + images.shape[2], j:j + images.shape[3]]
                              for one, (i, j) in zip(padded, places)])
        mirrored = {mirrored}
        images = torch.where(mirrored, images.flip(3), images)
    return {normal}

def accuracy(net, images, labels):
    {switch}
    return (net({seen}).argmax(1) == labels).float().mean().item()
"""


def repair(
    drop="return x * (torch.rand_like(x) >= p) / (1 - p) if training else x",
    moving="training",
    padded="F.pad(images, (2, 2, 2, 2))",
    places="torch.randint(5, (len(images), 2)).tolist()",
    mirrored="torch.rand(len(images), 1, 1, 1) < 0.5",
    normal="(images / 255 - MEAN) / STD",
    switch="net.eval()",
    seen="prepare(images, False)",
):
    return REPAIR.format(
        drop=drop, moving=moving, padded=padded, places=places, mirrored=mirrored, normal=normal,
        switch=switch, seen=seen,
    )  # fmt: skip


BY_TOOLS = """
def drop(x, p, training):
    return F.dropout(x, p, training)

def prepare(images, training):
    if training:
        augment = data.Augment(crop_padding=2, flip=True)
        draws = data.augment.draw(augment, len(images), torch.default_generator)
        images = data.augment.crop_and_flip(images, augment, draws)
    return images.float().div(255).sub(MEAN).div(STD)

def accuracy(net, images, labels):
    was = net.training
    with torch.inference_mode():
        hits = net.train(False)(prepare(images, net.training)).topk(1).indices[:, 0] == labels
    net.train(was)
    return hits.double().mean().item()
"""
BY_GRID = """
def drop(x, p, training):
    if not training:
        return x.clone()
    mask = torch.empty_like(x).bernoulli_(1 - p)
    return torch.where(mask.bool(), x / (1 - p), 0.0)

def prepare(images, training):
    x = images.double() / 255
    if training:
        n, _, h, w = x.shape
        black = torch.zeros(n, 1, h + 4, w + 4).double()
        black[:, :, 2:-2, 2:-2] = x
        top, left = torch.randint(0, 5, (2, n, 1, 1))
        rows = top + torch.arange(h)[:, None]
        columns = left + torch.arange(w)
        turn = torch.randint(2, (n, 1, 1)).bool()
        columns = torch.where(turn, columns.flip(2), columns)
        x = black[torch.arange(n)[:, None, None], 0, rows, columns][:, None]
    return ((x - MEAN) / STD).float()

def accuracy(net, images, labels):
    net.eval()
    hits = 0
    for image, label in zip(images, labels):
        hits += int(net(prepare(image[None], False)).detach().argmax()) == int(label)
    return hits / len(labels)
"""
FIRST = 'predicted = "none"'
EXPERIMENT = """
measured = {{None: {plain}, "dropout": [0.70, 0.72, 0.69, 0.74],
             "augmentation": [0.71, 0.70, 0.72, 0.75], "weight decay": [0.69, 0.73, 0.70, 0.71]}}
gained, error = {{}}, {{}}
plain = torch.tensor(measured[None], dtype=torch.float64)
for part in PARTS:
    found = torch.tensor(measured[part], dtype=torch.float64)
    gaps = found - plain
    gained[part], error[part] = {gained}, {error}
"""


def experiment(
    plain="[0.68, 0.71, 0.70, 0.72]",
    gained="gaps.mean().item()",
    error="(gaps.var() / 4).sqrt().item()",
):
    return EXPERIMENT.format(plain=plain, gained=gained, error=error)


BY_STATISTICS = """
import statistics
measured = {None: (0.66, 0.65, 0.61, 0.63), "dropout": (0.6, 0.66, 0.61, 0.64)}
measured |= {"augmentation": (0.64, 0.69, 0.68, 0.69), "weight decay": (0.61, 0.64, 0.63, 0.62)}
gaps = {part: [a - b for a, b in zip(measured[part], measured[None])] for part in reversed(PARTS)}
gained = {part: statistics.fmean(each) for part, each in gaps.items()}
error = {part: statistics.stdev(each) / 2 for part, each in gaps.items()}
"""
WITH_NUMPY = """
import numpy as np
rows = np.array([[0.66, 0.65, 0.61, 0.63], [0.58, 0.66, 0.6, 0.64], [0.64, 0.69, 0.68, 0.69],
                 [0.6, 0.65, 0.62, 0.63]])
measured = dict(zip((None, *PARTS), rows.tolist()))
gaps = rows[1:] - rows[0]
gained = dict(zip(PARTS, gaps.mean(1).tolist()))
error = dict(zip(PARTS, (gaps.std(1, ddof=1) / np.sqrt(gaps.shape[1])).tolist()))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("fitting", fitting()),
        ("fitting", IN_STEPS),
        ("fitting", BY_WINDOWS),
        ("crops", crops()),
        ("crops", ONE_BATCH),
        ("crops", ONE_BY_ONE),
        ("repair", repair()),
        ("repair", BY_TOOLS),
        ("repair", BY_GRID),
        ("experiment", experiment()),
        ("experiment", BY_STATISTICS),
        ("experiment", WITH_NUMPY),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


FITTING_IS, CROPS_ARE, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("fitting", "crops", "repair", "experiment")
)
GREY = {"padded": "F.pad((images / 255 - MEAN) / STD, (2, 2, 2, 2))"}
ROLLED = (
    "torch.stack([F.pad(one.roll((i, j), (1, 2)), (2, 2, 2, 2)) for one, (i, j) in "
    "zip(images, torch.randint(-2, 3, (len(images), 2)).tolist())])"
)
MIDDLES = "[(2, 2)] * len(images)"
WRONG = [
    # What the check at home lets through.
    (FITTING_IS, fitting("(n + 2 * padding - kernel_size) % stride == 0"), "smaller than the",
     True),
    (FITTING_IS, fitting("n >= kernel_size and (n + 2 * padding - kernel_size) % stride == 0"),
     "when you compare a small image", True),
    (FITTING_IS, fitting("(n - 4) % 5 == 0"), "Your list is", True),
    (FITTING_IS, fitting(FITS.replace(">=", ">")), "a small image", True),
    (FITTING_IS, fitting(result="found or [smallest]"), "expected []", True),
    (CROPS_ARE, crops(places=PLACES.replace(", MIDDLE", "")), "leave out the centre", True),
    (CROPS_ARE, crops(places=f"[{MIDDLE}]"), "use the centre alone", True),
    (CROPS_ARE, crops(places="[(0, 0)] * 5"), "top left corner five times", True),
    (CROPS_ARE, crops(places=PLACES.replace("MIDDLE", "((h - size) // 2,) * 2")), "", True),
    (CROPS_ARE, crops(places=PLACES.replace("MIDDLE", MIDDLE.replace("size)", "size + 1)"))),
     "you round the position of the centre up", True),
    (CROPS_ARE, crops(switch="pass"), "dropout is still on", True),
    (CROPS_ARE, crops(back="pass"), "the mode that it was in", True),
    (CROPS_ARE, crops(back="net.train()"), "the mode that it was in", True),
    (CROPS_ARE, crops(back="images += 1"), "changes the images", True),
    (REPAIR_IS, repair(drop="return x * (torch.rand_like(x) >= p) if training else x"),
     "do not scale up", True),
    (REPAIR_IS, repair(drop="return F.dropout(x, p, training) if training else x * (1 - p)"),
     "although you have scaled up", True),
    (REPAIR_IS, repair(drop="return F.dropout(x, p)"), "sets numbers to 0 in evaluation", True),
    (REPAIR_IS, repair(drop="return x * (torch.rand_like(x) >= p) / p if training else x"),
     "the share that you drop", True),
    (REPAIR_IS, repair(drop="return x * (torch.rand(len(x)) >= p).float().view(-1, *[1] * "
     "(x.dim() - 1)) / (1 - p) if training else x"), "once for several numbers", True),
    (REPAIR_IS, repair(drop="return x * (torch.rand(x.shape[1:]) >= p) / (1 - p) if training else "
     "x"), "once for several numbers", True),
    (REPAIR_IS, repair(drop="return x * (torch.rand_like(x) < p) / p if training else x"),
     "sets 80% of x to 0", True),
    (REPAIR_IS, repair(moving="True"), "differs", True),
    (REPAIR_IS, repair(normal="((images if training else images.flip(3)) / 255 - MEAN) / STD"),
     "mirrors or moves pixels in evaluation", True),
    (REPAIR_IS, repair(moving="training and images.copy_(images.flip(3)) is images"),
     "changes the images", True),
    (REPAIR_IS, repair(padded="F.pad(images, (3, 3, 3, 3))",
                       places="torch.randint(7, (len(images), 2)).tolist()"),
     "shifted by at most two pixels", True),
    (REPAIR_IS, repair(moving="False"), "neither shifts nor mirrors", True),
    (REPAIR_IS, repair(normal="((images / 255 - MEAN) / STD - MEAN) / STD"), "normalise twice",
     True),
    (REPAIR_IS, repair(normal="images / 255"), "you do not normalise", True),
    (REPAIR_IS, repair(normal="(images - MEAN) / STD"), "division by 255", True),
    (REPAIR_IS, repair(places="[torch.randint(5, (2,)).tolist()] * len(images)"),
     "once for the whole batch", True),
    (REPAIR_IS, repair(places="torch.randint(4, (len(images), 2)).tolist()"), "5 × 5 positions",
     True),
    (REPAIR_IS, repair(mirrored="torch.zeros(len(images), 1, 1, 1) > 0"), "mirrors 0%", True),
    (REPAIR_IS, repair(padded=ROLLED, places=MIDDLES), "come back on the other", True),
    (REPAIR_IS, repair(**GREY, normal="images if training else (images / 255 - MEAN) / STD"),
     "the mean grey", True),
    (REPAIR_IS, repair(switch="pass"), "For a net in training mode", True),
    (REPAIR_IS, repair(seen="prepare(images, True)"), "expected 80.0%", True),
    (REPAIR_IS, repair(seen="images / 255"), "expected 80.0%", True),
    (EXPERIMENT_IS, experiment(gained="-gaps.mean().item()"), "from that without", True),
    (EXPERIMENT_IS, experiment(gained="gaps.sum().item()"), "you add the differences", True),
    (EXPERIMENT_IS, experiment(gained="gaps.median().item()"), "you take the median", True),
    (EXPERIMENT_IS, experiment(gained="found.mean().item()"), "not its gain", True),
    (EXPERIMENT_IS, experiment(error="round((gaps.var() / 4).sqrt().item(), 3)"), "does not follow",
     True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item()"), "root of the number of", True),
    (EXPERIMENT_IS, experiment(error="gaps.std(correction=0).item() / 2"), "not by n - 1", True),
    (EXPERIMENT_IS, experiment(error="gaps.std().item() / 4"), "not by its square root", True),
    (EXPERIMENT_IS, experiment(error="gaps.var().item() / 4"), "variance of the mean", True),
    (EXPERIMENT_IS, experiment(error="((found.var() + plain.var()) / 4).sqrt().item()"),
     "as unrelated", True),
    # Numbers that fit together, but were never measured.
    (EXPERIMENT_IS, experiment(plain="[0.58, 0.61, 0.60, 0.62]"), ", not 0.58: did you", True),
    (EXPERIMENT_IS, experiment().replace("[0.71", "[0.82"), ", not 0.82: did you", True),
    # What it finds.
    (FITTING_IS, fitting("(n - kernel_size) % stride == 0"), "leave out the padding", False),
    (FITTING_IS, fitting("(n + padding - kernel_size) % stride == 0"), "one side only", False),
    (FITTING_IS, fitting("(n + 2 * padding) % stride == 0"), "leave out the kernel", False),
    (FITTING_IS, fitting("(n + 2 * padding - kernel_size) % stride"), "that do not fit", False),
    (FITTING_IS, fitting(last="largest"), "the largest size", False),
    (FITTING_IS, fitting("n + 2 * padding >= kernel_size"), "an output at all", False),
    (FITTING_IS, fitting(result="tuple(found)"), "Return a list", False),
    (CROPS_ARE, crops(found="sum(net(view).softmax(1) for view in views)"), "divide by ten",
     False),
    (CROPS_ARE, crops(found="sum(net(view) for view in views) / 10"), "the softmax", False),
    (CROPS_ARE, crops(found="(sum(net(view) for view in views) / 10).softmax(1)"),
     "one softmax", False),
    (CROPS_ARE, crops(views="crops"), "leave out the mirror images", False),
    (CROPS_ARE, crops(views="crops + [crop.flip(2) for crop in crops]"), "top to bottom", False),
    (CROPS_ARE, crops(found="net(crops[0])[0]"), "", False),
    (REPAIR_IS, repair(places="torch.randint(6, (len(images), 2)).tolist()"), "", None),
    (REPAIR_IS, repair(padded="images"), "", False),
    (REPAIR_IS, repair() + "\nprepare = lambda images, training: images[0]", "result of your prep",
     False),
    (REPAIR_IS, repair() + "\naccuracy = lambda *all: torch.tensor(0.5)", "a Python float", False),
    (REPAIR_IS, repair() + "\naccuracy = lambda *all: 80.0", "a Python float", False),
    (EXPERIMENT_IS, experiment(plain="[0.0, 0.0, 0.0, 0.0]"), "accuracies of trained nets", False),
    (EXPERIMENT_IS, experiment(plain="[0.7, 0.7, 0.7, 0.7]"), "accuracies of trained", False),
    (EXPERIMENT_IS, experiment(plain="[68.0, 71.0, 70.0, 72.0]"), "accuracies of trained", False),
    (EXPERIMENT_IS, experiment(error="gaps.std() / 2"), "a Python float", False),
    (EXPERIMENT_IS, experiment() + "\nmeasured[None] = measured[None][:3]", "be four accuracies",
     False),
    (EXPERIMENT_IS, experiment() + "\ndel measured[None]", "with the keys", False),
    (EXPERIMENT_IS, experiment() + "\ndel gained['dropout']", "gained must be", False),
    (EXPERIMENT_IS, experiment() + "\nerror['dropout'] = 1", "error must be", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


@pytest.mark.parametrize("predicted", ["None", "'ReLU'"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["dropout", "augmentation", "weight decay", "none"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted!r}", experiment=experiment())
    said = f"you predicted {predicted} and measured +0.010 ± 0.007 (dropout)"
    assert said in capsys.readouterr().out


def test_training_that_rounds_otherwise_keeps_the_points(exercise, rounding_differently):
    space = exercise.setup()
    number = space["own_number"]("")
    with rounding_differently():
        plain, moved = (space["trained_accuracy"](number, part) for part in (None, "augmentation"))
    own = experiment(f"[{plain}, 0.71, 0.70, 0.72]").replace("[0.71, 0.70,", f"[{moved}, 0.70,")
    exercise.assert_passes(prediction=FIRST, experiment=own)


def test_the_faults_show_in_the_symptoms(exercise, capsys):
    space = exercise.setup()
    broken = next(c.source for c in exercise.cells if c.metadata.nbgrader.grade_id == "broken")
    exec(f"{broken}\n{repair()}", space)
    first, again = space["symptoms"](
        *(space[f"broken_{name}"] for name in ("drop", "prepare", "accuracy"))
    ).chunk(2)
    assert not first.equal(again)
    assert "mean 0.0" not in (printed := capsys.readouterr().out) and "mean -0.0" not in printed
    first, again = space["symptoms"](space["drop"], space["prepare"], space["accuracy"]).chunk(2)
    assert first.equal(again)
    shares = capsys.readouterr().out.split("three times: ")[1].splitlines()[0]
    assert len(set(shares.strip("[]").split(", "))) == 1


def test_everybody_has_a_number_of_images(exercise, monkeypatch):
    space, numbers = exercise.setup(), set()
    for student in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{student}")
        numbers.add(space["own_number"](""))
    assert len(numbers) >= 10 and min(numbers) >= 80
