"""Exercise 15 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* the gradient of a probability, which is 0 where the net is certain:
  https://github.com/keras-team/keras/issues/5881
* a weight for each position, not for each map: https://github.com/jacobgil/keras-grad-cam/issues/5
* a ReLU before the sum over the maps: https://github.com/salesforce/LAVIS/pull/809
* heat maps made in training mode:
  https://github.com/wielandbrendel/bag-of-local-features-models/issues/17
* maps made in the middle of training: https://github.com/jacobgil/pytorch-grad-cam/issues/488
"""

import pytest

SLUG = "15_showdown"

FRONT = """
import statistics
def not_surely_beaten(rows):
    kept = set()
    for name, runs, cost in rows:
        beaten = False
        for other, others, price in rows:
            errors = [statistics.{deviation}(each) / len(each) ** {root} for each in (runs, others)]
            ahead = statistics.mean(others) - statistics.mean(runs)
            beaten = beaten or ({cheaper} and ahead > {times} * ({error}))
        if {keep}:
            kept.add(name)
    return {result}
"""


def front(
    deviation="stdev",
    root="0.5",
    cheaper="price <= cost",
    times="2",
    error="(errors[0] ** 2 + errors[1] ** 2) ** 0.5",
    keep="not beaten",
    result="kept",
):
    return FRONT.format(
        deviation=deviation, root=root, cheaper=cheaper, times=times, error=error, keep=keep,
        result=result,
    )  # fmt: skip


WITH_NUMPY = """
import numpy as np
def not_surely_beaten(rows):
    names, runs, costs = zip(*rows)
    means = np.array([np.mean(each) for each in runs])
    errors = np.array([np.std(each, ddof=1) / np.sqrt(len(each)) for each in runs])
    ahead = means[None] - means[:, None] - 2 * np.hypot(errors[None], errors[:, None])
    cheaper = np.array(costs)[None] <= np.array(costs)[:, None]
    return {name for name, lost in zip(names, ((ahead > 0) & cheaper).any(axis=1)) if not lost}
"""
A_CLASS = """
class Row:
    def __init__(self, name, runs, cost):
        self.name, self.cost, self.values = name, cost, torch.tensor(runs).double()
        self.mean, self.error = self.values.mean(), self.values.std() / len(runs) ** 0.5

    def surely_beats(self, other):
        gap = self.mean - other.mean
        return self.cost <= other.cost and gap > 0 and gap ** 2 > 4 * (
            self.error ** 2 + other.error ** 2)

def not_surely_beaten(rows):
    rows = [Row(*row) for row in rows]
    return {row.name for row in rows if not any(other.surely_beats(row) for other in rows)}
"""
REPAIR = """
def cam(features, head, images, targets):
    modes = features.training, head.training
    {enter}
    maps = features(images)
    scores = {scores}
    gradients = {gradients}
    {leave}
    weights = gradients.mean(dim={over}, keepdim=True)
    coarse = {coarse}
    return {result}
"""


def repair(
    enter="features.eval(), head.eval()",
    scores="head(maps)",
    gradients="torch.autograd.grad(scores.gather(1, targets[:, None]).sum(), maps)[0]",
    leave="features.train(modes[0]), head.train(modes[1])",
    over="(2, 3)",
    coarse="(weights * maps).sum(1, keepdim=True).relu()",
    result='F.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0].detach()',
):
    return REPAIR.format(
        enter=enter, scores=scores, gradients=gradients, leave=leave, over=over, coarse=coarse,
        result=result,
    )  # fmt: skip


ONE_BY_ONE = """
def cam(features, head, images, targets):
    was = [(module, module.training) for part in (features, head) for module in part.modules()]
    for module, _ in was:
        module.training = False
    found = []
    for image, target in zip(images, targets.tolist()):
        with torch.no_grad():
            maps = features(image[None])
        maps.requires_grad_()
        (slope,) = torch.autograd.grad(head(maps)[0, target], [maps])
        coarse = torch.einsum("k,khw->hw", slope[0].mean((1, 2)), maps[0].detach()).clamp(min=0)
        found.append(nn.Upsample(image.shape[1:], mode="bilinear")(coarse[None, None])[0, 0])
    for module, training in was:
        module.training = training
    return torch.stack(found)
"""
ON_A_COPY = """
import copy
def cam(features, head, images, targets):
    features, head = copy.deepcopy(features).eval(), copy.deepcopy(head).eval()
    maps = features(images).double()
    maps.retain_grad()
    head.double()(maps)[torch.arange(len(images)), targets].sum().backward()
    coarse = torch.zeros(len(maps), 1, *maps.shape[2:])
    for k in range(maps.shape[1]):
        alpha = maps.grad[:, k].flatten(1).mean(1).view(-1, 1, 1, 1)
        coarse = coarse + alpha * maps[:, k : k + 1].detach()
    coarse = torch.maximum(coarse, torch.zeros(1)).float()
    return F.interpolate(coarse, size=tuple(images.shape[-2:]), mode="bilinear").squeeze(1)
"""
FIRST = 'predicted = ("honest", "unaugmented")'
EXPERIMENT = """
def drawn(seed, kind="same", rho=1.0):
    config = ShapesConfig(position=0.0, background_correlation=rho)
    return make_shapes({number}, config, torch.Generator().manual_seed(seed), kind)[:2]
true, swapped = drawn(3), drawn(4, "swapped")
shifted = swapped[0].roll({shift}, dims=3), swapped[1]
probes = {probes}
table = {table}
"""
MEASURED = "[[accuracy(net, *probe) for net in nets] for probe in probes]"


def experiment(number=300, shift=6, probes="[true, swapped, shifted]", table=MEASURED):
    return EXPERIMENT.format(number=number, shift=shift, probes=probes, table=table)


WITH_COVER = experiment(shift="(5, 5)", probes="(hidden, swapped, shifted)").replace(
    "dims=3), swapped[1]",
    """dims=(2, 3)), swapped[1]
scene = make_shapes(400, ShapesConfig(position=0.0, background_correlation=1.0),
                    torch.Generator().manual_seed(6))
hidden = torch.where(scene.masks[:, None], 128, scene.images), scene.labels""",
)
ON_TRAINING_IMAGES = """
own = training_images(1.0)
true = own.images[:500], own.labels[:500]
far = make_shapes(500, ShapesConfig(position=8.0, background_correlation=0.0),
                  torch.Generator().manual_seed(8))[:2]
moved = far[0].roll(3, dims=2), far[1]
other = make_shapes(400, ShapesConfig(position=0.0, background_correlation=1.0),
                    torch.Generator().manual_seed(9), "swapped")
covered = torch.where(other.masks[:, None], other.images, 128).byte(), other.labels
probes = [true, (other.images, other.labels), moved]
table = torch.stack([torch.stack([(net(x).argmax(1) == y).double().mean() for net in nets])
                     for x, y in probes]).tolist()
"""
VERDICT = """
names = {names}
verdict = {verdict}
apart = {{}}
for a in range(4):
    for b in range(a):
        apart[a, b] = {apart}(abs(row[a] - row[b]) for row in table)
first, second = {pick}(apart, key=apart.get)
closest = {closest}
"""
TRUE = (
    "[each.split('.')[0] for each in models.dealt(list(models.HISTORIES), "
    "quiz.generator(student_id))]"
)


def verdict(
    names=TRUE, verdict="names", apart="max", pick="min", closest="(names[first], names[second])"
):
    return VERDICT.format(names=names, verdict=verdict, apart=apart, pick=pick, closest=closest)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("front", front()),
        ("front", WITH_NUMPY),
        ("front", A_CLASS),
        ("repair", repair()),
        ("repair", ONE_BY_ONE),
        ("repair", ON_A_COPY),
        ("experiment", experiment()),
        ("experiment", WITH_COVER),
        ("experiment", ON_TRAINING_IMAGES),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


BY_DISTANCE = """
import numpy as np
rows = np.array(table)
hidden = {int(rows[0].argmin()): "shuffled", int(rows[2].argmax()): "honest"}
rest = [net for net in range(4) if net not in hidden]
rest.sort(key=lambda net: rows[1, net])
hidden |= {rest[0]: "background", rest[1]: "unaugmented"}
verdict = [hidden[net] for net in range(4)]
gaps = np.abs(rows[:, :, None] - rows[:, None]).max(axis=0) + 9 * np.eye(4)
closest = {verdict[i] for i in np.unravel_index(gaps.argmin(), (4, 4))}
"""


@pytest.mark.parametrize(
    "source",
    [
        verdict(),
        verdict(verdict="tuple(names)", closest="frozenset([names[first], names[second]])"),
        BY_DISTANCE,
    ],
)
def test_a_right_verdict_in_another_style_passes(exercise, source):
    exercise.assert_passes(prediction=FIRST, experiment=experiment(), verdict=source)


FRONT_IS, REPAIR_IS, EXPERIMENT_IS, VERDICT_IS = (
    f"{name}_check" for name in ("front", "repair", "experiment", "verdict")
)
WRONG = [
    # What the check at home lets through.
    (FRONT_IS, front(times="1"), "one standard error, not two", True),
    (FRONT_IS, front(root="0"), "square root of the number of runs", True),
    (FRONT_IS, front(root="1"), "not by its square root", True),
    (FRONT_IS, front(deviation="pstdev"), "not by n - 1", True),
    (FRONT_IS, front(cheaper="price < cost"), "equal costs are enough", True),
    (FRONT_IS, front(error="sum(errors)"), "their squares add up", True),
    (FRONT_IS, front(cheaper="True"), "you ignore the costs", True),
    (REPAIR_IS, repair(enter="pass"), "you use training mode", True),
    (REPAIR_IS, repair(scores="head(maps).softmax(1)"), "of the probability, not", True),
    (REPAIR_IS, repair(scores="head(maps).log_softmax(1)"), "the logarithm", True),
    (REPAIR_IS, repair(over="1"), "over the maps, not over the positions", True),
    (REPAIR_IS, repair(coarse="(weights * maps).relu().sum(1, keepdim=True)"), "to each map", True),
    (REPAIR_IS, repair(coarse="(gradients * maps).sum(1, keepdim=True).relu()"),
     "the gradients themselves", True),
    (REPAIR_IS, repair(leave="features.train(), features(images), features.train(modes[0]), "
     "head.train(modes[1])"), "changes the weights or the running", True),
    (REPAIR_IS, repair(leave="features.train(modes[0]), head.train(modes[1]), images.neg_()"),
     "changes the images", True),
    (REPAIR_IS, repair(leave="pass"), "leave each part in", True),
    (REPAIR_IS, repair(leave="features.train(), head.train()"), "leave each part in", True),
    (REPAIR_IS, repair(leave="features.train(modes[0]), head.train(modes[0])"),
     "leave each part in", True),
    (REPAIR_IS, repair(gradients="(maps.retain_grad(), scores.gather(1, targets[:, None]).sum()"
     ".backward(), maps.grad)[2]"), "adds to the parameters' gradients", True),
    (REPAIR_IS, repair(gradients="(maps.retain_grad(), scores.gather(1, targets[:, None]).sum()"
     ".backward(), features.zero_grad(), head.zero_grad(), maps.grad)[4]"), "or clears them",
     True),
    (REPAIR_IS, repair(result='F.interpolate(coarse, images.shape[2:], mode="nearest")[:, 0]'
     ".detach()"), "you repeat pixels", True),
    (REPAIR_IS, repair(result='F.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0]'),
     "still part of a graph", True),
    (REPAIR_IS, repair(gradients="torch.autograd.grad(scores.amax(1).sum(), maps)[0]"),
     "predicted class", True),
    (EXPERIMENT_IS, experiment(table="[row[::-1] for row in " + MEASURED + "]"),
     "has the accuracy", True),
    (EXPERIMENT_IS, experiment(table="[[0.9] * 4] * 3"), "has the accuracy", True),
    (EXPERIMENT_IS, experiment(probes="[true, swapped]"), "No probe tells", True),
    (EXPERIMENT_IS, experiment(probes="[true, drawn(5), drawn(6)]"), "No probe tells", True),
    (EXPERIMENT_IS, experiment(shift=0), "No probe tells", True),
    # What it finds.
    (FRONT_IS, front(times="0"), "you ignore the standard errors", False),
    (FRONT_IS, front(keep="beaten"), "is not the right set", False),
    (FRONT_IS, front(result="sorted(kept)"), "Return a set", False),
    (REPAIR_IS, repair(coarse="(weights * maps).sum(1, keepdim=True)"), "negative values", False),
    (REPAIR_IS, repair(result="coarse[:, 0].detach()"), "expected (5, 8, 12)", False),
    (REPAIR_IS, repair(result='F.interpolate(coarse, images.shape[2:], mode="bilinear").detach()'),
     "expected (5, 8, 12)", False),
    (EXPERIMENT_IS, experiment(probes="[true]"), "a list of two or three", False),
    (EXPERIMENT_IS, experiment(number=100), "300 to 800 images", False),
    (EXPERIMENT_IS, experiment(probes="[true, swapped, (shifted[0].float(), shifted[1])]"),
     "expected uint8", False),
    (EXPERIMENT_IS, experiment(table="[[100 * a for a in row] for row in " + MEASURED + "]"),
     "floats from 0 to 1", False),
    (EXPERIMENT_IS, experiment(table=f"torch.tensor({MEASURED})"), "must hold one list", False),
    (EXPERIMENT_IS, experiment(table=f"({MEASURED})[:2]"), "must hold one list", False),
    (EXPERIMENT_IS, experiment(table=f"[row[:3] for row in {MEASURED}]"), "four accuracies", False),
    (EXPERIMENT_IS, experiment(probes="[(*true, 1), swapped, shifted]", table="None"),
     "must be a pair", False),
    (EXPERIMENT_IS, experiment(probes="[true[0], swapped[0]]", table="None"), "must be a pair",
     False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


SWAPPED = (
    "[names[b] if name == names[a] else names[a] if name == names[b] else name for name in names]"
)


@pytest.mark.parametrize(
    ("source", "finding", "at_home"),
    [
        (verdict(verdict="names[1:] + names[:1]"), "is wrong for nets[0], nets[1]", True),
        (verdict(verdict="[names[1], names[0], *names[2:]]"), "wrong for nets[0], nets[1].", True),
        (verdict(verdict="[*names[:2], names[3], names[2]]"), "wrong for nets[2], nets[3].", True),
        (verdict(pick="max"), "that is farthest apart", True),
        (verdict(apart="min"), "the smallest difference of each pair", True),
        (verdict(closest="[each for each in names if each not in (names[first], names[second])]"),
         "another pair is closer together", True),
        (verdict(verdict="names[:3]"), "each history once", False),
        (verdict(verdict="[names[0]] * 4"), "each history once", False),
        (verdict(closest="(first, second)"), "must be a pair of histories", False),
        (verdict(closest="names[first]"), "must be a pair of histories", False),
    ],
)  # fmt: skip
def test_a_wrong_verdict_is_rejected_with_a_reason(exercise, source, finding, at_home):
    others = {"prediction": FIRST, "experiment": experiment()}
    exercise.assert_rejects(VERDICT_IS, source, finding, at_home, **others)


def test_a_verdict_without_a_prediction_earns_nothing(exercise):
    exercise.assert_rejects(
        VERDICT_IS, verdict(), "Write your prediction down before the experiment", False,
        prediction="predicted = None", experiment=experiment(),
    )  # fmt: skip


def test_a_verdict_without_probes_earns_nothing(exercise):
    nothing = "probes = table = None"
    names = f'names = {TRUE}\nverdict, closest = names, ("honest", "shuffled")'
    exercise.assert_rejects(
        VERDICT_IS, names, "First measure the nets", False, prediction=FIRST, experiment=nothing
    )


@pytest.mark.parametrize(
    "predicted", ["None", "'honest'", "('honest', 'honest')", "('good', 'bad')"]
)
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["('shuffled', 'honest')", "{'background', 'shuffled'}"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_table(exercise, predicted, capsys):
    exercise.assert_passes(
        prediction=f"predicted = {predicted}", experiment=experiment(), verdict=verdict()
    )
    pair = " and ".join(sorted(eval(predicted)))
    assert f"you predicted {pair}, and found " in capsys.readouterr().out


def test_everybody_has_a_chart_and_nets_in_an_order_of_their_own(exercise, monkeypatch):
    space, charts, orders = exercise.setup(), [], set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        charts.append(space["own_chart"](""))
        histories = list(space["models"].HISTORIES)
        orders.add(tuple(space["models"].dealt(histories, space["quiz"].generator(""))))
    assert len({str(chart) for chart in charts}) == 20 and len(orders) > 10


def test_the_net_with_shuffled_labels_has_memorised_the_images_that_learners_get(exercise):
    space = exercise.setup()
    images = space["training_images"](0.0).images
    [net] = space["models"].anonymous(["shuffled"], space["quiz"].generator(""))
    on_train = net(images).softmax(dim=1).amax(dim=1).mean()
    fresh = space["make_shapes"](
        500, space["ShapesConfig"](position=0.0), space["torch"].Generator()
    )
    assert on_train > 0.95 > 0.85 > net(fresh.images).softmax(dim=1).amax(dim=1).mean()
