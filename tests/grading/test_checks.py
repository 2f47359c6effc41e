"""The checks that exercises are made of: what they say, and how they guard themselves."""

import math
import re
import threading
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks
from course_utils.beside import SESSION


def finding(check, *answers):
    """Return what a check says, as grading would."""
    try:
        checks.award(1, check, *answers)
    except checks.CheckFailed as failure:
        return str(failure)
    return None


def even(answer):
    """Check the simplest thing there is."""
    checks.require(checks.as_integer(answer) % 2 == 0, f"{answer} is odd")


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (4, "✓ nothing wrong found here\n"),
        (3, "✗ 3 is odd\n"),
        (None, "✗ not answered yet\n"),
        (..., "✗ not answered yet\n"),
        ("4", "✗ answer with a whole number such as 156, not with '4'\n"),
    ],
)
def test_show_prints_one_line_and_never_raises(capsys, answer, line):
    assert checks.show(even, answer) is (answer == 4)
    assert capsys.readouterr().out == line


def test_award_gives_the_points_only_to_a_right_answer():
    assert checks.award(3, even, 4) == 3.0
    for wrong in (3, None, "4"):
        with pytest.raises(checks.CheckFailed):
            checks.award(3, even, wrong)


def test_a_failure_shows_its_sentence_and_no_traceback():
    assert checks.CheckFailed("a sentence")._render_traceback_() == ["CheckFailed: a sentence"]


def test_the_learners_own_line_is_named_where_an_error_comes_from(tmp_path):
    cell = tmp_path / "cell.py"
    cell.write_text("def answer():\n    return 1 / 0\n")
    space = {"__name__": "__main__"}
    exec(compile(cell.read_text(), str(cell), "exec"), space)

    def check(function):
        function()

    assert finding(check, space["answer"]) == (
        "your code stopped with ZeroDivisionError: division by zero "
        "(line 2 of its cell, in answer: return 1 / 0)"
    )


def test_a_timeout_is_not_taken_for_an_answer():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.award(1, interrupted, None)


def test_variables_of_the_notebook_do_not_hide_pythons_own_names():
    space = {"sum": 0, "len": None, "limit": 6}
    exec(
        "def total(numbers): return sum(numbers)\n"
        "def check(numbers): assert total(numbers) == limit and len(numbers) == 3",
        space,
    )
    assert finding(space["check"], [1, 2, 3]) is None
    assert "AssertionError" in finding(space["check"], [1, 2])


def test_a_check_keeps_its_defaults_and_what_it_closes_over():
    space = {}
    exec(
        "def about(expected):\n"
        "    def check(answer, least=3, *, most=5): assert least <= answer <= most == expected\n"
        "    return check",
        space,
    )
    assert finding(space["about"](5), 4) is None
    assert "AssertionError" in finding(space["about"](5), 6)
    assert "AssertionError" in finding(space["about"](7), 4)


def test_builtins_that_the_notebook_replaced_change_no_mark():
    space = {"__builtins__": {"sum": lambda numbers: 6, "AssertionError": AssertionError}}
    exec("def check(numbers): assert sum(numbers) == 6", space)
    assert finding(space["check"], [1, 2, 3]) is None
    assert "AssertionError" in finding(space["check"], [1])


def test_an_error_elsewhere_names_no_line():
    assert finding(lambda: {}["key"]) == "your code stopped with KeyError: 'key'"


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (lambda x: checks.as_shape(x, 2), [(1, 2), [1, 2], torch.Size([1, 2])], [(1,), "12", 3]),
        (checks.as_integer, [0, -5], [True, 1.0, "1", torch.tensor(1)]),
        (lambda x: checks.as_letter(x, "ABC"), ["A", "c"], ["", "D", "AB", 1, ["A"]]),
        (lambda x: checks.as_letters(x, "ABC"), [{"A"}, ["b", "C"], ()], ["A", {"D"}, {1}]),
    ],
)
def test_answers_are_read_strictly(read, good, bad):
    for answer in good:
        read(answer)
    for answer in bad:
        with pytest.raises(checks.CheckFailed, match=r"^answer with"):
            read(answer)
    with pytest.raises(checks.NotAnswered):
        read(None)


def test_letters_are_listed_as_a_reader_lists_them():
    with pytest.raises(checks.CheckFailed, match='one of the letters A, B, C, such as "A", not'):
        checks.as_letter("D", "ABC")


def test_true_is_not_the_number_one():
    with pytest.raises(checks.CheckFailed):
        checks.as_shape((True, 2), 2)


def test_a_slip_is_named():
    checks.name_slip(7, {"the bias is forgotten": 6})
    with pytest.raises(checks.CheckFailed, match="6 is what you get if the bias is forgotten"):
        checks.name_slip(6, {"the bias is forgotten": 6})


class Net(nn.Module):
    """Two layers: as modules, and as functions."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.linear = nn.Linear(4 * 6 * 6, 5)

    def forward(self, images):
        maps = torch.relu(self.conv(images))
        return torch.addmm(self.linear.bias, maps.flatten(1), self.linear.weight.T)


CONV, LINEAR = checks.Stage("conv", (3, 4, 6, 6), "?"), checks.Stage("linear", (3, 5), "??")
IMAGES = torch.zeros(3, 1, 8, 8)


def test_stages_are_found_however_they_are_computed():
    checks.require_stages(Net(), IMAGES, [CONV, LINEAR])


def test_the_nearest_shape_is_shown_for_a_missing_stage():
    with pytest.raises(checks.CheckFailed, match=r"\(3, 4, 6, 6\) after conv, expected \(3, 4, 8"):
        checks.require_stages(Net(), IMAGES, [checks.Stage("conv", (3, 4, 8, 8), "?")])
    with pytest.raises(checks.CheckFailed, match=r"\(3, 5\) after linear, expected \(3, 7\): \?\?"):
        checks.require_stages(Net(), IMAGES, [CONV, checks.Stage("linear", (3, 7), "??")])


def test_the_nearest_of_several_shapes_is_shown():
    model = nn.Sequential(nn.Conv2d(1, 9, 8), nn.Flatten(), nn.Linear(9, 4))
    stage = checks.Stage("the last layer", (3, 4, 7, 7), "?")
    two = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3))
    with pytest.raises(checks.CheckFailed, match=r"your output has the shape \(3, 4, 6, 6\) after"):
        checks.require_stages(two, IMAGES, [stage])
    with pytest.raises(checks.CheckFailed) as failure:
        checks.require_stages(model, IMAGES, [stage])
    assert (
        str(failure.value) == "your model has no output of shape (3, 4, 7, 7) after the last layer."
    )


def test_stages_in_the_wrong_order_are_not_enough():
    with pytest.raises(checks.CheckFailed, match="no output of shape"):
        checks.require_stages(Net(), IMAGES, [LINEAR, CONV])


def test_a_model_that_stops_is_judged_by_what_it_did_before():
    net = Net()
    net.linear = nn.Linear(4, 5)
    with pytest.raises(checks.CheckFailed, match=r"after linear\. It stops with RuntimeError"):
        checks.require_stages(net, IMAGES, [CONV, LINEAR])
    with pytest.raises(RuntimeError, match=r"addmm|mat1"):
        checks.require_stages(net, IMAGES, [CONV])


def test_a_model_that_computes_nothing_is_not_answered():
    class Empty(nn.Module):
        def forward(self, images):
            return None

    with pytest.raises(checks.NotAnswered):
        checks.require_stages(Empty(), IMAGES, [CONV])


def test_a_map_of_one_pixel_is_as_good_as_a_vector():
    model = nn.Conv2d(1, 5, 8)
    checks.require_stages(model, IMAGES, [checks.Stage("conv", (3, 5), "?")])
    row = nn.Conv1d(1, 5, 8)  # (3, 5, 1)
    checks.require_stages(row, torch.zeros(3, 1, 8), [checks.Stage("row", (3, 5), "?")])


def test_borrowed_layers_are_found_inside_and_under_other_names():
    from course_utils.models.lenet import LeNet5

    class Mine(LeNet5):
        pass

    for model in (LeNet5(), Mine(), nn.Sequential(nn.Flatten(), nn.ModuleList([LeNet5()]))):
        with pytest.raises(checks.CheckFailed, match=r"borrowed from course_utils\.models\.lenet"):
            checks.require_own_layers(model)
    checks.require_own_layers(Net())


def test_what_is_borrowed_is_known_by_its_code(monkeypatch):
    """Anybody can change the name of a class's module; nor is scripting a way out."""
    from course_utils.models.lenet import LeNet5

    class Mine(nn.Module):
        forward = LeNet5.forward

    with pytest.warns(FutureWarning):
        scripted = torch.jit.script(LeNet5())
    # From Python 3.13 on, a new module makes a class forget its line; what is patched first is put
    # back last.
    monkeypatch.setattr(LeNet5, "__firstlineno__", 0, raising=False)
    monkeypatch.setattr(LeNet5, "__module__", "__main__")
    for model in (scripted, LeNet5(), Mine()):
        with pytest.raises(checks.CheckFailed, match="is borrowed from course_utils"):
            checks.require_own_layers(model)


def test_uneven_batches_are_the_same_each_time_and_count_their_pictures():
    first, second = (checks.uneven_batches((5, 2), num_classes=3) for _ in range(2))
    assert [len(images) for images, _ in first] == [5, 2]
    assert first.num_images == 7
    assert torch.equal(first[1][0], second[1][0])
    assert first[0][1].tolist() == [0, 1, 2, 0, 1]
    assert [len(images) for images, _ in checks.uneven_batches((5, 4, 2), num_classes=3)] == [
        5,
        4,
        2,
    ]


RIGHT = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
SLIPS = {"rows and columns are swapped": RIGHT.T, "it is flattened": RIGHT.flatten()}


@pytest.mark.parametrize("answer", [RIGHT, RIGHT.double(), RIGHT + 1e-7, nn.Parameter(RIGHT)])
def test_the_right_tensor_passes(answer):
    checks.require_tensor(answer, RIGHT, SLIPS)


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (RIGHT.T, "if rows and columns are swapped"),
        (RIGHT.flatten(), "if it is flattened"),
        (RIGHT[:1], r"the shape \(1, 2\), expected \(2, 2\): is the padding missing\?"),
        (RIGHT + torch.eye(2), r"largest at \(0, 0\): 2, expected 1"),
        (RIGHT * math.nan, "infinite or NaN"),
        (RIGHT.tolist(), "return a tensor, not list"),
        (RIGHT.numpy(), "return a tensor, not ndarray"),
    ],
)
def test_a_wrong_tensor_is_named(answer, finding):
    with pytest.raises(checks.CheckFailed, match=finding):
        checks.require_tensor(answer, RIGHT, SLIPS, hint="is the padding missing?")


def test_a_slip_that_gives_the_right_value_is_passed_over():
    checks.require_tensor(RIGHT, RIGHT, {"nothing is wrong": RIGHT.clone()})
    checks.require_number(5, 5, {"nothing is wrong": 5})
    checks.require_number(0.5, 0.5, {"nothing is wrong": 0.5})


def test_whole_numbers_in_a_tensor_are_not_taken_for_fractions():
    with pytest.raises(checks.CheckFailed, match="largest at"):
        checks.require_tensor(RIGHT.int(), RIGHT + 0.4)


def test_a_tolerance_is_relative_too():
    checks.require_tensor(RIGHT * 1000 + 5, RIGHT * 1000, tolerance=1e-2)
    with pytest.raises(checks.CheckFailed, match="differs from the right one"):
        checks.require_tensor(RIGHT * 1000 + 50, RIGHT * 1000, tolerance=1e-2)


def test_a_slip_of_another_precision_is_named_all_the_same():
    with pytest.raises(checks.CheckFailed, match="if rows and columns are swapped"):
        checks.require_tensor(RIGHT.T, RIGHT, {"rows and columns are swapped": RIGHT.T.double()})


def test_a_whole_number_is_exact_however_large():
    with pytest.raises(checks.CheckFailed, match="1,000,000,001 is not the right number"):
        checks.require_number(10**9 + 1, 10**9)


@pytest.mark.parametrize(("answer", "expected"), [(5, 5), (0.5, 0.5), (1, 1.0), (0.5 + 1e-7, 0.5)])
def test_the_right_number_passes(answer, expected):
    checks.require_number(answer, expected, {"one is forgotten": expected - 1})


@pytest.mark.parametrize(
    ("answer", "expected", "finding"),
    [
        (4, 5, "4 is what you get if one is forgotten"),
        (7, 5, "7 is not the right number, which is 5"),
        (5.0, 5, "a whole number, not float"),
        (True, 1, "a whole number, not bool"),
        ("5", 5.0, "return a number, not str"),
        (0.6, 0.5, "not the right number"),
    ],
)
def test_a_wrong_number_is_named(answer, expected, finding):
    with pytest.raises(checks.CheckFailed, match=finding):
        checks.require_number(answer, expected, {"one is forgotten": expected - 1})


def test_a_fraction_is_shown_without_the_noise_of_float32():
    said = "0.5773503 is what you get if one is forgotten"
    with pytest.raises(checks.CheckFailed, match=said):
        checks.require_number(0.5773502588272095, 1.5773502, {"one is forgotten": 0.5773502})
    with pytest.raises(checks.CheckFailed, match=r"-0.08 is not the .*, which is 1,234.5"):
        checks.require_number(-0.07999999821186066, 1234.5)


def test_two_lists_are_compared_seed_by_seed():
    right = checks.paired_seeds([0.5, 0.9, 0.7], [0.4, 0.5, 0.6])
    assert (right.mean, right.error) == pytest.approx((0.2, 0.1))
    assert right.mean_slips == pytest.approx(
        {"you take the median": 0.1, "you add the differences up": 0.6}
    )
    assert right.error_slips == pytest.approx(
        {
            "you do not divide by the square root of the number of seeds": 0.03**0.5,
            "you divide by n, not by n - 1": (0.02 / 3) ** 0.5,
            "you divide by 3, not by its square root": 0.03**0.5 / 3,
            "you report the variance of the mean": 0.01,
            "you treat the runs as unrelated, and add their variances": (0.05 / 3) ** 0.5,
        }
    )


def test_of_four_seeds_the_slip_says_four():
    slips = checks.paired_seeds([0.5, 0.9, 0.7, 0.6], [0.4] * 4).error_slips
    assert "you divide by 4, not by its square root" in slips


def test_a_number_that_is_trained_again_may_differ_by_rounding():
    checks.require_again("Your net reaches", 0.72, 0.7, tolerance=0.05)
    checks.require_again("Your net reaches", 0.68, 0.7, tolerance=0.05)
    with pytest.raises(checks.CheckFailed, match=r"^Your net reaches 0\.70, not 0\.76: did you"):
        checks.require_again("Your net reaches", 0.76, 0.7, tolerance=0.05)


@pytest.mark.parametrize("check", [checks.require_tensor, checks.require_number])
def test_none_is_no_answer_yet(check):
    with pytest.raises(checks.NotAnswered):
        check(None, RIGHT)


class Scripted(nn.Module):
    """Code that torch compiles, and whose functions Python does not see."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, x)


def scripted(module):
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        return torch.jit.script(module)


def in_a_thread(x):
    thread = threading.Thread(target=F.conv2d, args=(x, x))
    thread.start()
    thread.join()
    return x


def without_convolution(call):
    x = checks.random_tensor(1, 1, 2, 2)
    with checks.without("conv2d"):
        call(x)
    call(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.conv2d(x, x),
        lambda x: torch.conv2d(x, x),
        lambda x: nn.Conv2d(1, 1, 2)(x),
        lambda x: torch.convolution(x, x, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
        lambda x: F.conv_transpose2d(x, x),
        scripted(Scripted()),
        in_a_thread,
    ],
)
def test_a_function_that_is_to_be_written_may_not_be_called(call):
    assert re.fullmatch(
        r"your code calls torch's own (conv\w+): write it yourself",
        finding(without_convolution, call),
    )


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("batch_norm", lambda x: torch.native_batch_norm(x, *[None] * 4, True, 0.1, 1e-5)[0]),
        ("batch_norm", lambda x: torch.native_group_norm(x, None, None, 1, 1, 4, 1, 1e-5)[0]),
        ("dropout", scripted(nn.Dropout(0.5))),
        ("max_pool2d", nn.AdaptiveMaxPool2d(1)),
        ("local_response_norm", nn.LocalResponseNorm(3)),
    ],
)
def test_an_operator_counts_whoever_calls_it(name, call):
    def check(call):
        with checks.without(name):
            call(checks.random_tensor(1, 1, 2, 2))

    assert finding(check, call).startswith("your code calls torch's own")


def test_other_functions_may_be_called():
    def call(x):
        return x.flatten() @ F.unfold(x, 2)[0] + x.norm() + torch.fft.fft2(x).real.mean()

    assert finding(without_convolution, call) is None


# --- What a check gets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 0.1, float("inf"), "text \ud83d", ...,
        [1, (2.0, "x")], {"a": {1}, 2: [None]}, frozenset({1}), 2**200,
    ],
    ids=repr,
)  # fmt: skip
def test_plain_data_come_back_as_they_were(value):
    def check(answer):
        assert type(answer) is type(value) and answer == value

    assert finding(check, value) is None


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6).view(2, 3).T, torch.randn(2, 0), torch.tensor(True),
        torch.ones(2).bfloat16(), torch.fft.fft(torch.arange(3.0)).conj(),
        torch.ones(3).expand(2, 3), nn.Parameter(torch.ones(1)), torch.empty(2, 3, device="meta"),
    ],
    ids=lambda t: f"{t.dtype} {tuple(t.shape)}",
)  # fmt: skip
def test_tensors_come_back_as_they_were(tensor):
    def check(answer):
        assert (answer.shape, answer.dtype) == (tensor.shape, tensor.dtype)
        assert (answer.device, answer.requires_grad) == (tensor.device, tensor.requires_grad)
        assert answer.is_meta or torch.equal(answer, tensor)

    assert finding(check, tensor) is None


class Mine(int):
    __eq__ = lambda self, other: True  # noqa: E731
    __hash__ = None


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (Mine(7), 7),
        (torch.Size([2, 3]), (2, 3)), ((np.int64(1), np.float64(2)), (1, 2.0)),
    ],
    ids=repr,
)  # fmt: skip
def test_numbers_of_numpy_and_of_a_class_of_ones_own_become_pythons(given, plain):
    def check(answer):
        assert type(answer) is type(plain) and repr(answer) == repr(plain)

    assert finding(check, given) is None


def test_an_array_of_numpy_becomes_a_tensor():
    assert finding(lambda answer: checks.require_tensor(answer, RIGHT), RIGHT.numpy()) is None


def test_what_is_too_large_is_refused_in_a_sentence():
    assert finding(lambda f: f(), lambda: torch.zeros(3 * 2**20)) == (
        "your code returns a tensor of 12 MB: that is too large"
    )
    text = finding(lambda f: f(), lambda: "x" * 2**24)
    assert text == "your code returns more data than a check can receive"
    assert "ordinary tensor" in finding(lambda f: f(), lambda: torch.eye(2).to_sparse())


def test_what_a_function_changes_is_seen_and_its_errors_are_caught_by_name():
    def change(x, numbers, table, drawing):
        x += 1
        numbers.append(torch.rand(1, generator=drawing))
        table["new"] = numbers.pop(0)

    def fail():
        raise type("Special", (ValueError,), {})("so")

    def check(change, fail):
        x, numbers, table, drawing = torch.zeros(2), [3], {"old": 1}, checks.generator(4)
        before = drawing.get_state()
        change(x, numbers, table, drawing)
        assert (x.tolist(), table) == ([1, 1], {"old": 1, "new": 3}) and len(numbers) == 1
        assert not torch.equal(drawing.get_state(), before)
        try:
            fail()
        except ValueError as error:
            checks.require(False, f"{type(error).__name__}: {error}")

    assert finding(check, change, fail) == "Special: so"


def test_a_model_is_a_handle_and_is_looked_at_by_a_gatherer():
    @checks.beside
    def gradients(model, x):
        model(x).sum().backward()
        return {name: p.grad for name, p in model.named_parameters()}

    def check(build):
        model = build(3, 2)
        checks.require(
            type(model).__name__ == "Linear" and model(torch.ones(1, 3)).shape == (1, 2), ""
        )
        found = gradients(model, torch.ones(1, 3))
        checks.require(sorted(found) == ["bias", "weight"] and found["bias"].tolist() == [1, 1], "")
        model.weight.sum()

    assert "release the exercise again" in finding(check, nn.Linear)


def test_a_gatherer_calls_others_and_sees_no_variable_called_sum():
    space = {"checks": checks, "sum": 0}
    exec(
        "@checks.beside\ndef helper(f): return iter([f(1), f(2)])\n"
        "@checks.beside\ndef total(f): return sum(helper(f))\n"
        "def check(f): assert total(f) == 6",
        space,
    )
    assert finding(space["check"], lambda x: 2 * x) is None


def test_draws_are_the_same_at_home_and_others_in_grading(monkeypatch):
    home = checks.random_tensor(3, seed=5)
    assert torch.equal(home, torch.randn(3, generator=torch.Generator().manual_seed(5)))
    drawn = []
    for draw in (1, 2, 1):
        monkeypatch.setattr(SESSION, "draw", draw)
        drawn.append(checks.random_tensor(3, seed=5))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], home)


def test_a_worked_solution_is_printed_with_its_reasons(capsys):
    checks.reveal("03_convolution", "split")
    shown = capsys.readouterr().out
    assert shown.startswith("def split(") and "# at the crossing the product is" in shown
    assert "###" not in shown


def test_an_unknown_task_is_told_which_there_are():
    with pytest.raises(ValueError, match=r"no task 'x': choose from zeros_in_the_matrix, "):
        checks.reveal("03_convolution", "x")


def test_without_solutions_it_says_who_has_them(capsys):
    checks.reveal("99_none", "x")
    assert "Your teacher has it" in capsys.readouterr().out
