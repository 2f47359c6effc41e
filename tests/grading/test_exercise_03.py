"""Exercise 03 accepts right answers in any style, and names what is wrong with the others.

Of the faults that the exercise plants, these have been made, or asked about, in public:

* HWC made CHW by `reshape`: https://github.com/deeplearning4j/deeplearning4j/issues/8201
* slopes whose signs cancel in a sum: https://github.com/c2siorg/imagelab/pull/149
"""

import pytest
import torch

from course_utils import checks

SLUG = "03_convolution"

SVD = """
def split(kernel):
    U, S, V = torch.linalg.svd(kernel.double())
    return U[:, 0] * S[0], V[0]
"""
SUMS = """
def split(kernel):
    i = max(range(len(kernel)), key=lambda i: float(kernel[i].abs().sum()))
    row = kernel[i]
    return torch.stack([(line * row).sum() / (row * row).sum() for line in kernel]), row
"""
PIVOT = """
def split(kernel):
    i, j = {place}
    column, row = kernel[:, j].clone(), kernel[i].clone()
    return {result}
"""
LARGEST = "divmod(int(kernel.abs().argmax()), kernel.shape[1])"


def pivot(place=LARGEST, result="column, row / kernel[i, j]"):
    return PIVOT.format(place=place, result=result)


MOTIF = """
def motif_filter(motif):
    weights = {weights}
    return {result}
"""
GAIN = "weights / (weights * motif).sum()"


def motif(weights="motif - motif.mean()", result=GAIN):
    return MOTIF.format(weights=weights, result=result)


ORTHOGONAL = """
def motif_filter(motif):
    constraints = torch.stack([torch.ones(motif.numel()), motif.flatten()]).double()
    weights = torch.linalg.pinv(constraints) @ torch.tensor([0.0, 1.0]).double()
    return weights.reshape(motif.shape)
"""
EINSUM = """
def motif_filter(motif):
    values = [v - sum(motif.flatten().tolist()) / motif.numel() for v in motif.flatten().tolist()]
    weights = torch.tensor(values).view_as(motif)
    return weights / torch.einsum("ij,ij->", weights, weights)
"""
EDGES = """
def edge_strength(photo):
    image = {image}
    x, y = F.conv2d(image[None, None], SOBELS)[0]
    return {result}
"""
GREY = "photo.float().mean(dim=2) / 255"


def edges(image=GREY, result="torch.hypot(x, y)"):
    return EDGES.format(image=image, result=result)


IN_THE_KERNEL = """
def edge_strength(photo):
    image = photo.double().movedim(-1, 0) / 255
    weights = SOBELS.double().expand(2, 3, 3, 3) / 3
    return F.conv2d(image[None], weights).square().sum(dim=1)[0].sqrt()
"""
WITH_NUMPY = """
import numpy as np
def edge_strength(photo):
    grey = photo.numpy().astype(float).mean(axis=-1) / 255
    windows = np.lib.stride_tricks.sliding_window_view(grey, (3, 3))
    parts = [np.einsum("ijpq,pq->ij", windows, S[0].numpy()) for S in SOBELS]
    return torch.from_numpy(abs(parts[0] + 1j * parts[1]))
"""
BOX = """
def probes(k):
    images = torch.zeros({num}, 3 * k, 3 * k)
    images[:, k, k + 1] = {values}
    return images

def recover(outputs):
    k = {k}
    parts = outputs[:, 1:k + 1, 2:k + 2]
    return {result}
"""


def box(num=2, values="torch.tensor([1.0, -1.0])", k="(outputs.shape[1] - 1) // 2", result=None):
    result = result or "(parts[0] - parts[1]).flip(0, 1)"
    return BOX.format(num=num, values=values, k=k, result=result)


ONE_IMAGE = """
def probes(k):
    image = torch.zeros(1, 3 * k, 6 * k).double()
    image[0, k, k], image[0, k, 4 * k] = 5, -5
    return image

def recover(outputs):
    k = (outputs.shape[1] - 1) // 2
    one, other = (outputs[0, 1:k + 1, start + 1:start + k + 1] for start in (0, 3 * k))
    weights = [[float(one[-i, -j] - other[-i, -j]) / 5 for j in range(1, k + 1)]
               for i in range(1, k + 1)]
    return torch.tensor(weights)
"""
ROW_BY_ROW = """
def probes(k):
    dots = torch.zeros(k, k * k + k - 1)
    dots[range(k), range(k - 1, k * k, k)] = 1  # no window holds two of them
    return torch.stack([dots, -dots])

def recover(outputs):
    size = round(outputs.shape[2] ** 0.5)
    return (outputs[0] - outputs[1]).view(size, size).flip(1)
"""
FIRST = "predicted = 5"
EXPERIMENT = """
x = stripes
windows = torch.stack([x[i:i + 3, j:j + 3].flatten() for i in range(30) for j in range(30)])
y = windows @ SOBEL.flatten()
measured = {measured}
found = {found}
"""
RANK = "int(torch.linalg.matrix_rank(windows.T @ windows))"
LEAST = "torch.linalg.lstsq(windows.double(), y.double(), driver='gelsd').solution.view(3, 3)"


def experiment(measured=RANK, found=LEAST):
    return EXPERIMENT.format(measured=measured, found=found)


TRAINED = """
image = stripes.reshape(1, 1, 32, 32)
weights = torch.nn.Conv2d(1, 1, 3, bias=False)
target = F.conv2d(image, SOBEL[None, None])
optimizer = torch.optim.SGD(weights.parameters(), lr=0.5)
for _ in range(500):
    optimizer.zero_grad()
    F.mse_loss(weights(image), target).backward()
    optimizer.step()
found = weights.weight.detach()[0, 0]
measured = len({tuple(w.tolist()) for w in F.unfold(image, 3)[0].T if w.any()})
"""
BY_REMAINDER = """
groups = {}
for p in range(3):
    for q in range(3):
        groups.setdefault((slope * p + q) % period, []).append((p, q))
measured = len(groups)
found = torch.zeros(3, 3)
for places in groups.values():
    found[places[0]] = sum(SOBEL[place] for place in places)
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("split", SVD),
        ("split", SUMS),
        ("split", pivot(result="(column / kernel[i, j]).double(), row")),
        ("motif", ORTHOGONAL),
        ("motif", EINSUM),
        ("motif", motif("(motif - motif.mean()).double()")),
        ("edges", edges()),
        ("edges", IN_THE_KERNEL),
        ("edges", WITH_NUMPY),
        ("box", box()),
        ("box", ONE_IMAGE),
        ("box", ROW_BY_ROW),
        ("box", box(values="torch.tensor([-2.0, 2.0])", result="torch.rot90(parts[1]"
                    " - parts[0], 2) / 2")),
        ("experiment", experiment()),
        ("experiment", TRAINED),
        ("experiment", BY_REMAINDER),
    ],
)  # fmt: skip
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


SPLIT_IS, MOTIF_IS, EDGES_ARE, BOX_IS = "split_check", "motif_check", "edges_check", "box_check"
EXPERIMENT_IS = "experiment_check"
CONSTANT = motif("motif", "(k := own_motif(student_id) - 12 / 25) / (k * k).sum()")
LAST_WHITE = "motif.flatten().nonzero()[-1, 0]"
MIDDLE = "len(kernel) // 2, kernel.shape[1] // 2"
WRONG = [
    # What the check at home lets through.
    (SPLIT_IS, pivot(MIDDLE), "you divide by 0", True),
    (SPLIT_IS, pivot("0, int(kernel[0].abs().argmax())"), "you divide by 0", True),
    (SPLIT_IS, pivot("int(kernel[:, 0].abs().argmax()), 0"), "you divide by 0", True),
    (SPLIT_IS, pivot("0, 0"), "not finite", True),
    (SPLIT_IS, pivot(result="column.abs(), row.abs() / kernel[i, j]"), "differs", True),
    (SPLIT_IS, pivot(result="kernel.sum(1), kernel.sum(0) / kernel.sum()"), "", True),
    (MOTIF_IS, motif("motif", GAIN), "On a flat area of brightness 1", True),
    (MOTIF_IS, motif("2 * motif - 1", GAIN), "On a flat area", True),
    (MOTIF_IS, motif("motif - 12 / 25"), "On a flat area", True),
    (MOTIF_IS, motif("motif - motif.sum() / 25"), "On a flat area", True),
    (MOTIF_IS, CONSTANT, "On the motif alone your output is", True),
    (MOTIF_IS, motif("motif.sub_(motif.mean())", "weights / (weights * weights).sum()"),
     "changes the motif", True),
    (EDGES_ARE, edges(result="(x + y).abs()"), "you add the slopes", True),
    (EDGES_ARE, edges(result="x.abs() + y.abs()"), "you add the absolute values", True),
    (EDGES_ARE, edges(result="torch.maximum(x.abs(), y.abs())"), "the larger of the two", True),
    (EDGES_ARE, edges("photo[..., 0] / 255"), "at one channel only", True),
    (BOX_IS, box(result="parts[0].flip(0, 1)"), "you miss the negative weights", True),
    (BOX_IS, box(result="(parts[0] + parts[1]).flip(0, 1)"), "you lose the signs", True),
    (BOX_IS, box(k="3"), "expected (5, 5)", True),
    (BOX_IS, box(result="(parts[0] - parts[1]).flip(0, 1).round()"), "differs", True),
    (EXPERIMENT_IS, experiment("len(windows.unique(dim=0))"), "a black one tells you", True),
    (EXPERIMENT_IS, experiment("9"), "you count the weights", True),
    (EXPERIMENT_IS, experiment("predicted - 1"), "4 is not the right number, which is 5", True),
    # What it finds.
    (SPLIT_IS, pivot(result="column, row"), "you keep a factor of 12", False),
    (SPLIT_IS, pivot(result="row / kernel[i, j], column"), "Your column has the shape (5,)", False),
    (SPLIT_IS, pivot(result="column"), "Return two tensors", False),
    (SPLIT_IS, pivot(result="column, row, kernel[i, j]"), "Return two tensors", False),
    (MOTIF_IS, motif(result="weights"), "On the motif alone your output is 6.24, not 1", False),
    (MOTIF_IS, motif(result="weights / weights.norm()"), "not 1", False),
    (MOTIF_IS, motif(result="(w := weights.flip(0, 1)) / (w * motif).sum()"), "finds a", True),
    (MOTIF_IS, motif(f"torch.eye(25)[{LAST_WHITE}].view(5, 5)"), "In noise alone", False),
    (MOTIF_IS, motif(result="weights.tolist()"), "Your filter has the shape ()", False),
    (EDGES_ARE, edges("photo.reshape(3, *photo.shape[:2]).float().mean(0) / 255"), "differs",
     False),
    (EDGES_ARE, edges("photo.float().mean(dim=2)"), "between 0 and 255", False),
    (EDGES_ARE, edges("photo.permute(2, 1, 0).float().mean(0) / 255"), "swap rows and co", False),
    (BOX_IS, box(result="parts[0] - parts[1]"), "rotated by 180 degrees", False),
    (BOX_IS, box(result="(parts[0] - parts[1]).flip(0)"), "only the order of the rows", False),
    (BOX_IS, box(num=3, values="1.0"), "send one or two images", False),
    (EXPERIMENT_IS, experiment(found="SOBEL"), "This is the Sobel filter itself", False),
    (EXPERIMENT_IS, experiment(found="torch.zeros(3, 3)"), "differs from Sobel's by", False),
    (EXPERIMENT_IS, experiment(found="SOBEL.flatten()"), "has the shape (9,)", False),
    (EXPERIMENT_IS, experiment(found="None"), "Your filter has the shape ()", False),
    (EXPERIMENT_IS, experiment(measured="900"), "can be 1 to 9 facts about nine weights", False),
    (EXPERIMENT_IS, experiment(measured="5.0"), "a whole number", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


def test_without_a_prediction_the_experiment_is_not_looked_at(exercise):
    exercise.assert_asks_for_prediction(experiment())


@pytest.mark.parametrize("predicted", [1, 9])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted}", experiment=experiment())
    assert f"you predicted {predicted} and measured 5" in capsys.readouterr().out


def test_everybody_has_stripes_that_leave_some_weights_open(exercise, monkeypatch):
    facts = set()
    space = exercise.setup()
    for number in range(60):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        image, period, slope = space["own_stripes"]("")
        windows = torch.nn.functional.unfold(image[None, None], 3)[0].T
        residues = {(slope * p + q) % period for p in range(3) for q in range(3)}
        assert int(torch.linalg.matrix_rank(windows)) == len(residues) < 9
        smallest = torch.linalg.pinv(windows) @ windows @ space["SOBEL"].flatten()
        assert (smallest - space["SOBEL"].flatten()).abs().max() > 0.05  # another filter than Sobel
        facts.add(len(residues))
    assert len(facts) >= 4


def test_everybody_has_a_motif_and_a_box_of_their_own(exercise, monkeypatch):
    space, motifs, boxes = exercise.setup(), set(), set()
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        motifs.add(str(space["own_motif"]("")))
        boxes.add(str(space["own_box"]("")(checks.random_tensor(1, 4, 4))))
    assert len(motifs) == len(boxes) == 20
