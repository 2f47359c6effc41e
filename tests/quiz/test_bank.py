"""The banks of the course hold what they promise, and a malformed bank says what is wrong."""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import torch

from course_utils import quiz
from course_utils.quiz import bank as banks
from course_utils.quiz.answer import Answer

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", banks.names())
def test_a_bank_of_the_course_is_sound(name: str, review: ModuleType) -> None:
    assert review.check(name) == []


@pytest.mark.parametrize("name", [name for name in banks.names() if "/" not in name])
def test_a_lesson_asks_its_own_bank(name: str) -> None:
    source = (ROOT / "sources" / "lessons" / f"{name}.py").read_text("utf-8")
    section = source[source.index("# ## Pop quiz") :]
    assert f'quiz.show("{name}")' in section


def test_the_lectures_own_quizzes_are_among_them() -> None:
    lessons = {"04_stride_padding_pooling": "order_of_pooling"}
    lessons["05_channels_and_parameters"] = "filtered_shape"
    for name, item in lessons.items():
        assert quiz.load(name).item(item)


def test_every_kind_is_used_in_the_course() -> None:
    kinds = {item.kind for bank in map(quiz.load, quiz.names()) for item in bank.items}
    assert kinds == set(get_args(banks.Kind))


FOLDERS = sorted(path.parent.name for path in ROOT.glob("course_utils/quiz/banks/*/answers.py"))


def computations(folder: str) -> set[str]:
    """Names of the functions of a folder that answer items."""
    module = import_module(f"course_utils.quiz.banks.{folder}.answers")
    functions = inspect.getmembers(module, inspect.isfunction)
    return {name for name, f in functions if inspect.signature(f).return_annotation is Answer}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_computation_answers_an_item(folder: str) -> None:
    banks_of = "*" if folder == "shared" else folder
    prefix = "shared." if folder == "shared" else ""
    texts = ROOT.glob(f"course_utils/quiz/banks/{banks_of}/*.toml")
    named = re.findall(
        r'^computation = "(.+)"$', "".join(p.read_text("utf-8") for p in texts), re.M
    )
    assert {f"{prefix}{name}" for name in computations(folder)} <= set(named)


@pytest.mark.parametrize("folder", FOLDERS)
def test_answers_import_from_the_floors_below(folder: str) -> None:
    """import-linter passes folders by that begin with a digit."""
    text = (ROOT / "course_utils/quiz/banks" / folder / "answers.py").read_text("utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    below = r"arithmetic|models\.\w+|inspection|quiz\.answer|quiz\.banks\.shared\.answers"
    for node in nodes:
        module = node.module or ""
        names = [f"{module}.{alias.name}" for alias in node.names]
        ours = names if module == "course_utils" else [module]
        for name in ours:
            assert not name.startswith("course_utils") or re.fullmatch(
                rf"course_utils\.({below})", name
            )


def test_the_banks_are_read_without_anything_beside_the_package(tmp_path: Path) -> None:
    """A learner who installed the package alone has no sources of lessons."""
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "records")
    shutil.copytree(ROOT / "course_utils", tmp_path / "course_utils", ignore=ignored)
    script = shutil.copy(ROOT / "tools/review_quiz.py", tmp_path)
    command = [sys.executable, script, "--show", "13_resnet"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    num_items = len(quiz.load("13_resnet").items)
    assert found.stdout.count("ANSWER") == found.stdout.count("BECAUSE") == num_items
    assert "-> kernel_not_squared: You get this if you" in found.stdout


def learns(lines: list[str]) -> bool:
    """Run the lines of a training step in an order; say whether the loss falls."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.zeros(3, 2, requires_grad=True)
    inputs = torch.randn(40, 3, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    optimizer = torch.optim.SGD([weight], lr=0.5)
    logits, loss, losses = torch.empty(0), torch.empty(0), []
    for _ in range(20):
        for line in lines:
            if line == "forward pass":
                logits = inputs @ weight
            elif line == "loss":
                loss = torch.nn.functional.cross_entropy(logits, labels)
                losses.append(loss.item())
            elif line == "`backward()`":
                loss.backward()
            else:
                {"`zero_grad()`": optimizer.zero_grad, "`step()`": optimizer.step}[line]()
    return losses[-1] < losses[0] / 2


def test_the_orders_that_are_right_are_those_that_train() -> None:
    """Whoever sets the gradients to zero at the end of a step is right, too."""
    for option in quiz.load("07_lenet").item("training_step").options:
        assert learns(option.text.split(", ")) == option.right, option.text


def test_an_unknown_bank_or_item_is_told_apart() -> None:
    with pytest.raises(ValueError, match=r"no quiz '99_x': choose from 01_image_tensors"):
        quiz.load("99_x")
    with pytest.raises(ValueError, match=r"no item 'x': choose from batch_shape"):
        quiz.load("01_image_tensors").item("x")


# --- Malformed banks ---------------------------------------------------------------------------

SINGLE = """
[[items]]
id = "first"
kind = "single"
section = "The question"
question = "Which?"
explanation = "That one."
options = [{ text = "this", right = true }, { text = "that", rule = "no_floor" }]
"""
NUMBER = """
[[items]]
id = "second"
kind = "number"
section = "The question"
question = "{n} pixels, kernel {k}, stride {s}, padding {p}?"
computation = "shared.output_size"
variables = { n = { from = 20, to = 40 }, k = [3], s = [2], p = [2] }
explanation = "{answer}."
"""
MULTIPLE = """
[[items]]
id = "third"
kind = "multiple"
section = "The question"
question = "Which ones?"
explanation = "Those."
options = [
    { text = "a", right = true, rule = "no_floor" },
    { text = "b", rule = "no_floor" },
    { text = "c", rule = "no_floor" },
]
"""
MISTAKE = SINGLE.replace('"single"', '"single"\ntrap = "photo_1080x720"')


def test_a_well_formed_bank_is_read() -> None:
    read = quiz.parse(SINGLE + NUMBER + MULTIPLE, "x")
    assert [item.id for item in read.items] == ["first", "second", "third"]
    assert [*read.items[1].choices["n"]] == [*range(20, 41)]
    assert read.items[1].choices["k"] == (3,)
    assert quiz.parse(MISTAKE, "x").items[0].trap == "photo_1080x720"


def test_a_mistake_quotes_the_ledger() -> None:
    read = quiz.parse(MISTAKE.replace('question = "Which?"\n', ""), "x")
    question = quiz.pose(read, read.items[0], 0)
    assert "1080x720 becomes a tensor of 3x1080x720" in question.text


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (SINGLE, 'id = "first"', "id = first", r".*line 3"),  # tomllib's own
        (SINGLE, "[[items]]", "[items]", r"Expected `array`, got `object` - at `\$\.items`"),
        (SINGLE, "[[items]]", "[[item]]", "Object contains unknown field `item`"),
        (SINGLE, "[[items]]", "x = 1\n[[items]]", "Object contains unknown field `x`"),
        (
            SINGLE,
            '"single"',
            '"choose"',
            r"Invalid enum value 'choose' - at `\$\.items\[0\]\.kind`",
        ),
        (SINGLE, 'question = "Which?"', 'quetsion = "Which?"', "unknown field `quetsion`"),
        (SINGLE, 'question = "Which?"', "question = 3", r"Expected `str`, got `int`.*\.question`"),
        (SINGLE, 'section = "The question"\n', "", "missing required field `section`"),
        (SINGLE, "right = true", 'right = "yes"', r"Expected `bool`, got `str`.*\[0\]\.right`"),
        (SINGLE, 'text = "that"', 'txt = "that"', r"unknown field `txt`.*options\[1\]`"),
        (NUMBER, "k = [3]", "k = 3", r"Expected `object \| array`, got `int`"),
        (NUMBER, "to = 40", "until = 40", r"unknown field `until` - at `\$\.items\[0\]\.variables"),
        (NUMBER, "to = 40", "to = 4.5", "Expected `int`, got `float`"),
        (NUMBER, "variables", "tolerance = true\nvariables", "Expected `float`, got `bool`"),
    ],
)
def test_a_malformed_bank_is_refused(text: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(ValueError, match=message) as failure:
        quiz.parse(text.replace(old, new), "x")
    assert str(failure.value).startswith("x/lesson.toml: ")


# --- What reads well and is wrong all the same -------------------------------------------------


@pytest.fixture
def faults(review: ModuleType) -> Callable[..., str]:
    """A function from a bank's text to all that is wrong with it, in one text."""

    def found(text: str, name: str = "04_stride_padding_pooling") -> str:
        return "\n".join(review.problems(quiz.parse(text, name)))

    return found


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (SINGLE, 'id = "first"', 'id = "First one"', "id must be lower_case_words"),
        (SINGLE, 'question = "Which?"', 'question = " "', "question is missing"),
        (SINGLE, 'question = "Which?"', "", "question is missing"),
        (SINGLE, '"That one."', '""', "explanation is missing"),
        (SINGLE, "options", 'unit = "px"\noptions', "a single item has no field unit"),
        (SINGLE, "right = true", 'rule = "no_floor"', "needs a right option"),
        (SINGLE, 'rule = "no_floor"', "right = true", "more than one right option"),
        (SINGLE, ', { text = "that", rule = "no_floor" }', "", "needs 2 to 6 options"),
        (SINGLE, ', rule = "no_floor"', "", "option 'that' names no wrong rule"),
        (SINGLE, "no_floor", "no_flor", "wrong rule 'no_flor' has no sentence: add it to"),
        (SINGLE, 'text = "that"', 'text = "this"', "the same answer twice"),
        (SINGLE, 'text = "that"', 'text = " "', "an option has no text"),
        (SINGLE, '"Which?"', '"Which {n}?"', r"\{n\} is not a variable \(there are: none\)"),
        (SINGLE, '"Which?"', '"{fact:no.such}"', "no fact"),
        (SINGLE, 'rule = "no_floor"', 'rule = "no_floor", why = "{n}"', r"\{n\} is not a variable"),
        (SINGLE, "[[items]]", '[rules]\nno_floor = "something else here"\n\n[[items]]',
         "rule no_floor is there already"),
        (SINGLE, "[[items]]", '[rules]\nnew = "It is wrong to do so."\n\n[[items]]',
         "rule new: needs a clause"),
        (SINGLE, "[[items]]", '[rules]\nNew = "something is done"\n\n[[items]]',
         "rule 'New': use lower_case_words"),
        (SINGLE + SINGLE, "", "", "another item of this bank has the same id"),
        (NUMBER, "shared.output_size", "shared.nothing", "has no attribute 'nothing'"),
        (NUMBER, "shared.output_size", "shared.field_of", "does not return an Answer"),
        (NUMBER, "shared.output_size", "lesson_99.nothing", "No module named .*lesson_99"),
        (NUMBER, 'computation = "shared.output_size"\n', "", "needs a computation"),
        (NUMBER, "s = [2], ", "", r"variables \['k', 'n', 'p'\], but its computation takes"),
        (NUMBER, "k = [3]", "k = [99]", "no values of its variables make sense together"),
        (NUMBER, "k = [3]", "k = []", "variable k has no value"),
        (NUMBER, "variables", 'wrong = ["no_flor"]\nvariables', "has no wrong rule no_flor"),
        (NUMBER, "variables", 'wrong = ["no_floor"]\nvariables', "at least two wrong rules"),
        (NUMBER, "variables", "tolerance = -1\nvariables", "tolerance must be a number"),
        (NUMBER, "{answer}", "{anwser}", r"\{anwser\} is not a variable"),
        (MULTIPLE, '    { text = "c", rule = "no_floor" },\n', "", "needs 3 to 6 options"),
        (MULTIPLE, "right = true, ", "", "needs a right option"),
        (MULTIPLE, '"c", rule = "no_floor"', '"c"', "names no wrong rule by which"),
        (MISTAKE, "photo_1080x720", "photo", "no trap"),
        (MISTAKE.replace('question = "Which?"', ""), "photo_1080x720", "photo", "no trap"),
        (MISTAKE, "options =", 'computation = "shared.output_size"\noptions =', "both options and"),
    ],
)  # fmt: skip
def test_an_item_that_does_not_fit_together_is_found(
    text: str, old: str, new: str, message: str, faults: Callable[..., str]
) -> None:
    assert old in text
    assert re.search(message, faults(text.replace(old, new)))


def test_a_fault_names_the_bank_and_the_item(faults: Callable[..., str]) -> None:
    found = faults(SINGLE + NUMBER.replace("k = [3]", "k = []"))
    assert "04_stride_padding_pooling, item second: variable k has no value" in found
    assert "item first" not in found


def test_a_section_that_the_lesson_does_not_have_is_found(faults: Callable[..., str]) -> None:
    assert "no section 'No such heading'" in faults(
        SINGLE.replace("The question", "No such heading")
    )
    assert "no section" not in faults(SINGLE)


def test_a_lesson_with_too_few_items_is_found(faults: Callable[..., str]) -> None:
    assert "1 items, should have 5 to 8" in faults(SINGLE)
    assert "items; 5 to 8" not in faults(SINGLE, "exercises/04_stride_padding_pooling")


def test_a_rule_that_can_never_be_told_apart_is_found(faults: Callable[..., str]) -> None:
    assert "['no_plus_one'] are never recognised" in faults(NUMBER)


def test_numbers_that_cannot_be_drawn_are_found(faults: Callable[..., str]) -> None:
    even = NUMBER.replace("n = { from = 20, to = 40 }", "n = [21]")  # divides evenly
    assert "no numbers fit" in faults(even) and "no_floor" in faults(even)


def test_a_rule_that_no_item_names_is_found(faults: Callable[..., str]) -> None:
    more = '[rules]\nnew_rule = "something is done wrongly"\n' + SINGLE
    assert "no item names the rules new_rule" in faults(more)
    assert "no item names" not in faults(more.replace("no_floor", "new_rule"))


def test_an_answer_called_by_its_letter_is_found(faults: Callable[..., str]) -> None:
    assert "by its letter" in faults(SINGLE.replace("That one.", "Answer B is wrong."))


def test_the_readme_s_examples_are_read() -> None:
    text = (ROOT / "course_utils" / "quiz" / "README.md").read_text("utf-8")
    items = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    banked = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in items]
    examples = [block for block in banked if block.lstrip().startswith("[[items]]")]
    assert {tomllib.loads(block)["items"][0]["kind"] for block in examples} == set(
        get_args(banks.Kind)
    )
    names = set(re.findall(r'rule = "(\w+)"', "".join(examples)))
    rules = dict.fromkeys(names, "something is done") | dict(banks.common_rules())
    for block in examples:
        assert quiz.parse(block, "x", rules).items
