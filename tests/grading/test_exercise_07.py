"""Exercise 07 accepts right answers in any style, and names what is wrong with the others."""

import textwrap

import pytest

from course_utils import quiz

SLUG = "07_lenet"
BANK = f"exercises/{SLUG}"
ITEMS = [item.id for item in quiz.load(BANK).items]
SLIPS = [
    (item, rule, wrong) for item in ITEMS for rule, wrong in quiz.question(BANK, item).slips.items()
]

ALWAYS_EQUAL = """
class Yes({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 0
{name} = Yes()
"""


def grade_quiz(exercise, name, answer):
    return exercise.grade(**{name: f"{name} = {answer!r}"})[f"{name}_check"]


@pytest.mark.parametrize("name", ITEMS)
def test_right_quiz_answers_earn_the_point(exercise, name):
    answer = quiz.solution(BANK, name)
    assert grade_quiz(exercise, name, answer).score == 1.0
    if isinstance(answer, tuple):
        assert grade_quiz(exercise, name, list(answer)).score == 1.0


@pytest.mark.parametrize(("name", "rule", "wrong"), SLIPS)
def test_wrong_quiz_answers_are_rejected_by_the_slip_that_leads_to_them(
    exercise, name, rule, wrong
):
    result = grade_quiz(exercise, name, wrong)
    assert result.score == 0
    sentence = quiz.load(BANK).rules[rule]
    assert result.finding == f"CheckFailed: You get this if {sentence}."


@pytest.mark.parametrize("name", ITEMS)
def test_an_answer_for_another_student_earns_nothing(exercise, name, monkeypatch):
    monkeypatch.setenv("COURSE_STUDENT", "kim")
    kims = quiz.solution(BANK, name)
    monkeypatch.setenv("COURSE_STUDENT", "lee")
    assert grade_quiz(exercise, name, kims).score == 0


@pytest.mark.parametrize("name", ITEMS)
def test_an_object_that_equals_everything_is_no_answer(exercise, name):
    base = "tuple" if isinstance(quiz.solution(BANK, name), tuple) else "int"
    source = ALWAYS_EQUAL.format(name=name, base=base)
    assert exercise.grade(**{name: source})[f"{name}_check"].score == 0


def lenet(
    *,
    init="",
    conv1="nn.Conv2d(in_channels, 6, 5, padding=2)",
    conv2="nn.Conv2d(6, 16, 5)",
    activation="nn.ReLU()",
    pooling="nn.MaxPool2d(2)",
    linears="nn.Linear(400, 120), {a}, nn.Linear(120, 84), {a}, nn.Linear(84, num_classes)",
    forward="return self.net(images)",
    base="nn.Module",
):
    """Write a LeNet-5 in a style that is not the solution's, with something changed."""
    blocks = [conv1, activation, pooling, conv2, activation, pooling]
    layers = ", ".join([*blocks, "nn.Flatten()", linears.format(a=activation)])
    return textwrap.dedent(f"""
        class LeNet5({base}):
            def __init__(self, in_channels=1, num_classes=10):
                super().__init__()
                {init or f"self.net = nn.Sequential({layers})"}

            def forward(self, images):
                {forward}
    """)


OTHER_LENETS = {
    "modules in one Sequential": lenet(),
    "a subclass of Sequential": """
class LeNet5(nn.Sequential):
    def __init__(self, in_channels=1, num_classes=10):
        super().__init__(
            nn.Conv2d(in_channels, 6, 5, padding="same"), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Flatten(), nn.LazyLinear(120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, num_classes))
""",
    "as in 1998: a border of zeros, and the first linear layer as a convolution": lenet(
        conv1="nn.ZeroPad2d(2), nn.Conv2d(in_channels, 6, 5)",
        linears="nn.Unflatten(1, (16, 5, 5)), nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten(), "
        "nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, num_classes)",
    ),
    "pooling before the activation": lenet(
        init="self.c1 = nn.Conv2d(in_channels, 6, 5, padding=2); self.c2 = nn.Conv2d(6, 16, 5); "
        "self.tail = nn.Sequential(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), "
        "nn.Linear(84, num_classes)); self.pool = nn.MaxPool2d(2, 2)",
        forward="return self.tail(self.pool(self.c2(self.pool(self.c1(images)).relu())).relu()"
        ".reshape(len(images), -1))",
    ),
    "parameters and functions only": """
class LeNet5(nn.Module):
    def __init__(self, in_channels=1, num_classes=10):
        super().__init__()
        shapes = [(6, in_channels, 5, 5), (16, 6, 5, 5), (400, 120), (120, 84), (84, num_classes)]
        self.weights = nn.ParameterList(torch.randn(s) * 0.05 for s in shapes)
        self.biases = nn.ParameterList(torch.zeros(n) for n in (6, 16, 120, 84, num_classes))

    def forward(self, images):
        w, b = self.weights, self.biases
        columns = F.unfold(images, 5, padding=2)  # (N, C * 25, 784)
        x = (w[0].flatten(1) @ columns + b[0][:, None]).view(-1, 6, 28, 28).clamp(min=0)
        x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-2, -1))
        x = torch.maximum(torch.conv2d(x, w[1], b[1]), torch.zeros(()))
        x = x.view(-1, 16, 5, 2, 5, 2).amax(dim=(3, 5)).flatten(1)
        x = torch.einsum("ni,io->no", x, w[2]).add(b[2]).relu()
        return (x @ w[3] + b[3]).relu() @ w[4] + b[4]
""",
    "kernels turned, as their columns are": """
class LeNet5(nn.Module):
    def __init__(self, in_channels=1, num_classes=10):
        super().__init__()
        shapes = [(in_channels * 25, 6), (6, 16, 5, 5), (400, 120), (120, 84), (84, num_classes)]
        self.weights = nn.ParameterList(torch.randn(s) * 0.05 for s in shapes)
        self.biases = nn.ParameterList(torch.zeros(n) for n in (6, 16, 120, 84, num_classes))

    def forward(self, images):
        w, b = self.weights, self.biases
        columns = F.unfold(images, 5, padding=2)  # (N, C * 25, 784)
        x = (w[0].T @ columns + b[0][:, None]).view(-1, 6, 28, 28).clamp(min=0)
        x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-2, -1))
        x = torch.maximum(torch.conv2d(x, w[1].transpose(0, 1), b[1]), torch.zeros(()))
        x = x.view(-1, 16, 5, 2, 5, 2).amax(dim=(3, 5)).flatten(1)
        x = torch.einsum("ni,io->no", x, w[2]).add(b[2]).relu()
        return (x @ w[3] + b[3]).relu() @ w[4] + b[4]
""",
}


@pytest.mark.parametrize("style", OTHER_LENETS)
def test_a_right_lenet_in_another_style_passes(exercise, style):
    results = exercise.grade(lenet=OTHER_LENETS[style])
    assert {name: result.score for name, result in results.items()} == {
        "lenet_shapes_check": 2.0,
        "lenet_numbers_check": 2.0,
    }, results


SHAPES, NUMBERS = "lenet_shapes_check", "lenet_numbers_check"
WRONG_LENETS = [
    (lenet(conv1="nn.Conv2d(in_channels, 6, 5)"), SHAPES, "(2, 6, 24, 24) after the first conv"),
    (
        lenet(conv2="nn.Conv2d(6, 16, 5, padding=2)"),
        SHAPES,
        "your output is (2, 16, 14, 14) after the second convolution, expected (2, 16, 10, 10)",
    ),
    (lenet(conv1="nn.Conv2d(in_channels, 16, 5, padding=2)"), SHAPES, "(2, 16, 28, 28)"),
    (lenet(pooling="nn.MaxPool2d(2, stride=1)"), SHAPES, "is its pooling 2x2?"),
    (lenet(pooling="nn.MaxPool2d(3, 2)"), SHAPES, "(2, 6, 13, 13)"),
    (lenet(linears="nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, num_classes)"), SHAPES, "84"),
    (lenet(linears="nn.Linear(400, 84), {a}, nn.Linear(84, num_classes)"), SHAPES, "(2, 84)"),
    (lenet().replace("(84, num_classes)", "(84, 10)"), SHAPES, "one logit for each class"),
    (lenet(conv1="nn.Conv2d(1, 6, 5, padding=2)"), SHAPES, "expected input[3, 3, 28, 28]"),
    (lenet(forward="return None"), SHAPES, "not answered yet"),
    (lenet(forward="raise SystemExit"), SHAPES, "SystemExit"),
    (lenet(forward="return undefined_name"), SHAPES, "NameError"),
    (lenet(conv2="nn.Conv2d(6, 16, 5, bias=False)"), NUMBERS, "have biases"),
    (lenet(conv2="nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16)"), NUMBERS, "61,738 parameters"),
    (lenet(activation="nn.Identity()"), NUMBERS, "leave out the activations between the layers"),
    (lenet(activation="nn.Sigmoid()"), NUMBERS, "you use a sigmoid"),
    (lenet(activation="nn.Tanh()"), NUMBERS, "you use tanh"),
    (lenet(activation="nn.LeakyReLU()"), NUMBERS, "differ from LeNet-5's"),
    (lenet(pooling="nn.AvgPool2d(2)"), NUMBERS, "you pool the average"),
    (lenet(forward="return self.net(images).softmax(dim=1)"), NUMBERS, "a softmax at the end"),
    (lenet(forward="return F.log_softmax(self.net(images), 1)"), NUMBERS, "a log-softmax"),
    (lenet(forward="return self.net(images).relu()"), NUMBERS, "a ReLU at the end"),
    (lenet(forward="return self.net(images) * 0"), NUMBERS, "no gradient reaches net.0.weight"),
    (
        lenet(forward="return self.net[7:](self.net[:7](images).detach())"),
        NUMBERS,
        "no gradient reaches net.0.weight",
    ),
    (
        "from course_utils.models.lenet import LeNet5",
        NUMBERS,
        "LeNet5 is borrowed from course_utils.models.lenet",
    ),
    (
        "from course_utils.models.lenet import LeNet5 as Ready\nclass LeNet5(Ready): pass",
        NUMBERS,
        "borrowed",
    ),
    (
        "from course_utils import models\n"
        + lenet(
            init='self.net = models.build("lenet5", in_channels=in_channels, '
            "num_classes=num_classes)"
        ),
        NUMBERS,
        "borrowed",
    ),
]


@pytest.mark.parametrize(("source", "check", "finding"), WRONG_LENETS)
def test_a_wrong_lenet_is_rejected_with_a_reason(exercise, source, check, finding):
    result = exercise.grade(lenet=source)[check]
    assert result.score == 0
    assert finding in result.finding


def test_a_wrong_lenet_of_right_shapes_keeps_the_points_for_the_shapes(exercise):
    results = exercise.grade(lenet=lenet(activation="nn.Sigmoid()"))
    assert (results[SHAPES].score, results[NUMBERS].score) == (2.0, 0.0)


def train(
    *,
    start="model.train()",
    zero="optimizer.zero_grad()",
    loss="F.cross_entropy(model(images), labels)",
    backward="loss.backward()",
    step="optimizer.step()",
    add="total += loss.item() * len(images); count += len(images)",
    after="",
    result="total / count",
):
    """Write an epoch of training with something changed."""
    return textwrap.dedent(f"""
        def train_one_epoch(model, batches, optimizer):
            {start}
            total, count = 0.0, 0
            for images, labels in batches:
                {zero}
                loss = {loss}
                {backward}
                {step}
                {add}
            {after or "pass"}
            return {result}
    """)


MANUAL_SGD = """
def train_one_epoch(model, batches, optimizer):
    model.train(True)
    lr = optimizer.param_groups[0]["lr"]
    losses = []
    for i, (images, labels) in enumerate(batches):
        per_image = -model(images).log_softmax(dim=1)[torch.arange(len(labels)), labels]
        parameters = list(model.parameters())
        gradients = torch.autograd.grad(per_image.mean(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= lr * gradient
        losses += per_image.tolist()
    return sum(losses) / len(losses)
"""

OTHER_EPOCHS = {
    "the lesson's": train(
        add="total += loss.item() * len(images)", result="total / batches.num_images"
    ),
    "SGD by hand": MANUAL_SGD,
    "what the course's batches have": train(
        start="model.train(); assert batches.batch_size >= len(next(iter(batches))[0])",
        result="total / (len(batches.labels) + 0 * len(batches.images))",
    ),
    "gradients cleared after the step": train(
        zero="", step="optimizer.step(); optimizer.zero_grad()"
    ),
    "a sum, divided": train(
        loss='F.cross_entropy(model(images), labels, reduction="sum")',
        backward="(loss / len(images)).backward()",
        add="total += loss.item(); count += len(labels)",
    ),
    "a loss object and a tensor as the sum": train(
        loss="nn.CrossEntropyLoss()(model(images), labels)",
        add="total = total + loss.detach() * labels.numel(); count += labels.shape[0]",
        result="(total / count).item()",
    ),
    "the model's own zero_grad": train(zero="model.zero_grad(set_to_none=False)"),
    "averaged by NumPy": train(
        start="import numpy as np; model.train(); sizes = []; losses = []",
        add="sizes.append(len(images)); losses.append(loss.item())",
        result="np.average(losses, weights=sizes)",
    ),
    "weighted by hand": train(
        start="model.train(); sizes = []; losses = []",
        add="sizes.append(len(images)); losses.append(loss.item())",
        result="sum(s * l for s, l in zip(sizes, losses)) / sum(sizes)",
    ),
}


@pytest.mark.parametrize("style", OTHER_EPOCHS)
def test_a_right_epoch_in_another_style_passes(exercise, style):
    results = exercise.grade(train=OTHER_EPOCHS[style])
    assert {name: result.score for name, result in results.items()} == {
        "train_weights_check": 2.0,
        "train_loss_check": 2.0,
    }, results


WEIGHTS, LOSS = "train_weights_check", "train_loss_check"
WRONG_EPOCHS = [
    (train(zero=""), WEIGHTS, "you keep the gradients of earlier batches"),
    (train(step=""), WEIGHTS, "no weight has changed"),
    (train(backward=""), WEIGHTS, "no weight has changed"),
    (
        train(zero="", backward="loss.backward(); optimizer.zero_grad()"),
        WEIGHTS,
        "are the gradients still there by then?",
    ),
    (train(start=""), WEIGHTS, "model.train() is missing"),
    (train(start="model.eval()"), WEIGHTS, "model.train() is missing"),
    (train(after="model.eval()"), WEIGHTS, "you leave the model in evaluation mode"),
    (train(step="", after="optimizer.step()"), WEIGHTS, "with the last batch's gradient"),
    (train(zero="", step="", after="optimizer.step()"), WEIGHTS, "all the gradients added up"),
    (
        train(loss="F.cross_entropy(model(images).softmax(dim=1), labels)"),
        WEIGHTS,
        "you put a softmax before the cross-entropy",
    ),
    (
        train(loss='F.cross_entropy(model(images), labels, reduction="sum")'),
        WEIGHTS,
        "a sum, not a mean",
    ),
    (train(backward="(-loss).backward()"), WEIGHTS, "up the gradient"),
    (train(loss="F.nll_loss(model(images), labels)"), WEIGHTS, "differ"),
    (train(add="total += loss.item() * len(images); count += len(images); break"), WEIGHTS, "seen"),
    (
        train(start="model.train(); optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"),
        WEIGHTS,
        "differ",
    ),
    (train(start="raise SystemExit"), WEIGHTS, "SystemExit"),
    (train(add="total += loss.item()", result="total / len(batches)"), LOSS, "average the batches"),
    (train(add="total += loss.item(); count += 1"), LOSS, "average the batches"),
    (train(result="total"), LOSS, "ln 3"),
    (train(result="loss.item()"), LOSS, "only the last batch"),
    (
        train(result="loss"),
        LOSS,
        "return a Python float, not Tensor",
    ),
    (train(result="None"), LOSS, "return a Python float, not NoneType"),
    (train(add="total += loss.item(); count += len(images)"), LOSS, "ln 3"),
    (
        train(
            start="model.train(); first = len(next(iter(batches))[1])",
            add="total += loss.item() * len(images); count += first",
        ),
        LOSS,
        "as large as the first",
    ),
    (
        train(
            after="everything = torch.cat([i for i, _ in batches]); "
            "answers = torch.cat([l for _, l in batches]); "
            "total = F.cross_entropy(model(everything), answers).item() * count"
        ),
        LOSS,
        "you measure the loss again",
    ),
]


@pytest.mark.parametrize(("source", "check", "finding"), WRONG_EPOCHS)
def test_a_wrong_epoch_is_rejected_with_a_reason(exercise, source, check, finding):
    result = exercise.grade(train=source)[check]
    assert result.score == 0
    assert finding in result.finding


def test_a_wrong_mean_loses_no_points_for_the_training(exercise):
    results = exercise.grade(train=train(add="total += loss.item(); count += 1"))
    assert (results[WEIGHTS].score, results[LOSS].score) == (2.0, 0.0)


def test_the_solution_scores_full_marks(exercise):
    solution = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in exercise.cells
        if cell.metadata.nbgrader.solution
    }
    results = exercise.grade(**solution)
    assert {name: result.score for name, result in results.items()} == exercise.points
    assert sum(exercise.points.values()) == 12  # and 3 for the written answer


def test_a_learners_variables_do_not_change_the_checks(exercise):
    clutter = "\nsum = len = type = float = zip = all = any = list = str = max = None\n"
    clutter += "checks = quiz = QUESTION = torch = nn = math = F2 = reload = check_answer = None\n"
    answers = {name: f"{name} = {quiz.solution(BANK, name)!r}{clutter}" for name in ITEMS}
    results = exercise.grade(**answers, measure="")  # no check, and it needs torch
    assert {name: result.score for name, result in results.items()} == dict.fromkeys(results, 1.0)


def test_the_table_shows_what_the_written_question_asks_about(read_solution):
    cells = read_solution(SLUG).cells
    table = next(cell for cell in cells if "loaders.train, optimizer" in cell.source)
    first = table.outputs[0].text.splitlines()[1]
    returned, afterwards, validation = map(float, first.split()[1:])
    assert returned > 1.2 * max(afterwards, validation)
