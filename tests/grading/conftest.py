"""What the grading tests share: the course's tools, and a quick way to run an exercise's checks."""

import ast
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
import torch.nn.functional as F
from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Result:
    """What one test cell gave."""

    score: float
    finding: str


@dataclass
class Exercise:
    """A built exercise, whose answer cells can be replaced and whose own test cells then run.

    Unlike nbgrader this runs in the process of the test, with `exec`: a hundred wrong answers
    take seconds. `test_autograde.py` has the real thing.
    """

    cells: list[nbformat.NotebookNode]
    points: dict[str, float] = field(init=False)
    tasks: dict[str, str] = field(init=False)
    seen: dict[str, bool] = field(init=False, default_factory=dict)
    """Whether the check that a learner sees found nothing wrong, of the test cells run last."""

    def __post_init__(self) -> None:
        self.points = {
            cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points
            for cell in self.cells
            if cell.metadata.nbgrader.grade
        }
        self.tasks, task = {}, ""
        for cell in self.cells:  # a test cell belongs to the answer cell before it
            role = cell.metadata.nbgrader
            task = role.grade_id if role.solution else task
            self.tasks |= {role.grade_id: task} if role.grade else {}

    def grade(self, **answers: str) -> dict[str, Result]:
        """Replace answer cells by other sources; run the test cells that belong to them."""
        names = {cell.metadata.nbgrader.grade_id for cell in self.cells}
        assert answers.keys() <= names, "no such answer cell"
        space: dict[str, Any] = {"__name__": "__main__", "student_id": ""}
        results, task = {}, None
        for cell in self.cells:
            role, name = cell.metadata.nbgrader, cell.metadata.nbgrader.grade_id
            if role.solution:
                task = name
            if role.grade and task in answers:
                results[name] = run_test_cell(cell.source, space)
                self.seen[name] = any(
                    space.pop(key)
                    for key in list(space)
                    if key.endswith(("_is_right", "_are_right"))
                )
            elif name in answers or is_handed_out(role):
                exec(compile(answers.get(name, cell.source), name, "exec"), space)
        return results

    def setup(self) -> dict[str, Any]:
        """Run the set-up cell; return what it defines."""
        space: dict[str, Any] = {"__name__": "__main__", "student_id": ""}
        exec(next(c.source for c in self.cells if c.metadata.nbgrader.grade_id == "setup"), space)
        return space

    def assert_passes(self, **answers: str) -> None:
        """Hold answers against their checks, which must find nothing and give all points."""
        results = self.grade(**answers)
        findings = {name: result.finding for name, result in results.items()}
        assert findings == dict.fromkeys(results, "")
        assert {name: result.score for name, result in results.items()} == {
            name: self.points[name] for name in results
        }

    def assert_rejects(
        self, check: str, source: str, finding: str, at_home: bool | None = None, **others: str
    ) -> None:
        """Hold a wrong answer against a check, which must give nothing and say why.

        Args:
            check: Name of the test cell.
            source: The answer.
            finding: A part of what the check must say.
            at_home: Whether the check that a learner sees lets it through; None says nothing.
            others: Other answers that it builds on; that of its own task gives way to it.
        """
        result = self.grade(**others | {self.tasks[check]: source})[check]
        assert result.score == 0
        assert finding in result.finding
        if at_home is not None:
            assert self.seen[check] == at_home, "the check at home says something else"

    def assert_asks_for_prediction(
        self, experiment: str, nothing: str = "None", **others: str
    ) -> None:
        """Hold an experiment against its check, which must not look at it without a prediction."""
        sentence = "Write your prediction down before the experiment"
        others["prediction"] = f"predicted = {nothing}"
        self.assert_rejects("experiment_check", experiment, sentence, **others)


def is_handed_out(role: nbformat.NotebookNode) -> bool:
    """Return whether a cell is locked and neither checks an answer nor asks a question."""
    return role.locked and not role.grade and not role.grade_id.startswith("ask_")


def run_test_cell(source: str, space: dict[str, Any]) -> Result:
    """Run a cell as a notebook does; its last expression is the score."""
    *body, last = ast.parse(source).body
    assert isinstance(last, ast.Expr), "a test cell ends with award(...)"
    try:
        exec(compile(ast.Module(body, []), "test cell", "exec"), space)
        return Result(eval(compile(ast.Expression(last.value), "test cell", "eval"), space), "")
    except Exception as error:
        return Result(0.0, f"{type(error).__name__}: {error}")


@pytest.fixture
def rounding_differently() -> Callable[[], AbstractContextManager[None]]:
    """A function whose block trains as another processor would: losses are off by a millionth."""

    @contextmanager
    def block() -> Iterator[None]:
        loss = F.cross_entropy
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(F, "cross_entropy", lambda *given: loss(*given) * (1 + 1e-6))
            yield

    return block


@pytest.fixture(scope="session")
def release_tool() -> ModuleType:
    """tools/release.py, imported by its path."""
    return load_script("tools/release.py")


def _read_solution(slug: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "solutions" / slug / f"{slug}.ipynb", as_version=4)


def _read_exercise(slug: str) -> Exercise:
    coded = [cell for cell in _read_solution(slug).cells if cell.cell_type == "code"]
    return Exercise([cell for cell in coded if "nbgrader" in cell.metadata])


@pytest.fixture(scope="session")
def read_solution() -> Callable[[str], nbformat.NotebookNode]:
    """A function from a slug to the built solution of that exercise."""
    return _read_solution


@pytest.fixture(scope="session")
def read_exercise() -> Callable[[str], Exercise]:
    """A function from a slug to the cells of that exercise that have a role."""
    return _read_exercise


@pytest.fixture(scope="module")
def exercise(request: pytest.FixtureRequest) -> Exercise:
    """The exercise that the test module names in its variable SLUG."""
    return _read_exercise(request.module.SLUG)
