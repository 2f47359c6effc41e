"""Change the checks of the exercises, one at a time, and see whether a test notices.

    python tools/mutate_checks.py                   every exercise: hours on two cores
    python tools/mutate_checks.py 10_googlenet      one of them
    python tools/mutate_checks.py --list            only say how many changes there would be

A check that could be left out, or be more or less strict, without any wrong answer getting points
or any right one losing them, is a check that nobody has tried. `make mutate` does the same to the
package; the checks are cells of notebooks, which its tool cannot change. Each change runs those of
the exercise's tests that run the changed cell, in a process of its own, and is done when the first
of them fails. What is noticed is noted in `.records/mutants`, so that a second call goes on where
the first has stopped. The exit status is 1 if a change was not noticed.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".records" / "mutants"
OTHER = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
PATIENCE = 10  # times as long as without a change: a change may make a loop endless


Edit = tuple[str, ast.AST, str, Any]  # in words; an attribute of a node; what it becomes


def mutants(slug: str) -> Iterator[tuple[str, str, str]]:
    """Yield the changes of an exercise's test cells: the cell, the change in words, the source."""
    notebook = nbformat.read(ROOT / "solutions" / slug / f"{slug}.ipynb", as_version=4)
    for cell in notebook.cells:
        role = cell.metadata.get("nbgrader", {})
        name = role.get("grade_id", "")
        if cell.cell_type == "code" and role.get("grade") and not name.startswith("ask"):
            for what, source in changes(cell.source):
                yield name, what, source


def changes(source: str) -> Iterator[tuple[str, str]]:
    """Yield each change of a cell in words, and the source of the whole cell with it."""
    tree = ast.parse(source)
    for node in list(ast.walk(tree)):
        for what, owner, field, new in list(_edits(node)):
            old = getattr(owner, field)
            setattr(owner, field, new)
            yield what, ast.unparse(tree)
            setattr(owner, field, old)


def _edits(node: ast.AST) -> Iterator[Edit]:
    """Yield what can be changed at a node itself."""
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        for i, statement in enumerate(body if isinstance(body, list) else []):
            if _is_a_demand(statement):
                words = ast.unparse(statement).splitlines()[0][:90]
                without = [*body[:i], ast.Pass(), *body[i + 1 :]]
                yield f"line {statement.lineno}: without {words}", node, field, without
    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            if type(operator) in OTHER:
                ops = [*node.ops[:i], OTHER[type(operator)](), *node.ops[i + 1 :]]
                new = ast.Compare(node.left, ops, node.comparators)
                yield _in_words(node, new), node, "ops", ops
    if isinstance(node, ast.BoolOp):
        op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield _in_words(node, ast.BoolOp(op, node.values)), node, "op", op
    if isinstance(node, ast.For) and isinstance(node.iter, ast.List) and len(node.iter.elts) > 1:
        first = node.iter.elts[:1]
        words = f"line {node.lineno}: only {ast.unparse(ast.List(first))[:70]}"
        yield words, node.iter, "elts", first


def _in_words(node: ast.expr, new: ast.expr) -> str:
    return f"line {node.lineno}: {ast.unparse(node)[:70]} -> {ast.unparse(new)[:70]}"


def _is_a_demand(statement: ast.stmt) -> bool:
    """Return whether a statement is a call that stops where an answer is wrong, or raises."""
    if isinstance(statement, ast.Raise):
        return "NotAnswered" not in ast.unparse(statement)  # test_every_exercise.py holds these
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    name = ast.unparse(statement.value.func)
    return "require" in name or "check" in name.split(".")[-1]


def is_noticed(slug: str, cell: str = "", source: str = "", limit: float | None = None) -> bool:
    """Run an exercise's tests with another source of one cell; return whether one fails.

    Without a cell all tests are run, and it is noted which cells each of them runs. Tests that do
    not end within the limit, in seconds, have noticed something.
    """
    process = get_context("fork").Process(target=_run_tests, args=(slug, cell, source))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


def _tests(slug: str) -> Path:
    return ROOT / "tests" / "grading" / f"test_exercise_{slug[:2]}.py"


def _run_tests(slug: str, cell: str, source: str) -> None:
    """Run the tests of an exercise on the notebook with the change; exit as pytest does."""
    import pytest

    read = nbformat.read

    def read_changed(path: Path, **options: int) -> nbformat.NotebookNode:
        notebook = read(path, **options)
        for each in notebook.cells if Path(path).stem == slug else ():
            if each.metadata.get("nbgrader", {}).get("grade_id") == cell:
                each.source = source
        return notebook

    noted = KEPT / f"{slug}.cells.json"
    plugin = _OnlyThose(cell, json.loads(noted.read_text("utf-8"))) if cell else _Notes(slug, noted)
    nbformat.read = read_changed
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    options = [str(_tests(slug)), "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    os._exit(int(pytest.main(options, plugins=[plugin])))


class _Notes:
    """Writes down which test cells of the exercise each test runs."""

    def __init__(self, slug: str, file: Path) -> None:
        self.file, self.runs, self.test = file, dict[str, list[str]](), ""
        notebook = nbformat.read(ROOT / "solutions" / slug / f"{slug}.ipynb", as_version=4)
        self.names = {
            cell.source: cell.metadata.get("nbgrader", {}).get("grade_id")
            for cell in notebook.cells
        }

    def pytest_collection_finish(self, session: Any) -> None:
        """Watch the function of tests/grading/conftest.py that runs them."""
        plugins = session.config.pluginmanager.get_plugins()
        shared = next(plugin for plugin in plugins if hasattr(plugin, "run_test_cell"))
        run = shared.run_test_cell

        def watched(source: str, space: dict[str, Any]) -> Any:
            self.runs.setdefault(self.test, []).append(self.names[source])
            return run(source, space)

        shared.run_test_cell = watched

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which test begins."""
        self.test = nodeid

    def pytest_sessionfinish(self) -> None:
        """Keep what was noted."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.runs), encoding="utf-8")


class _OnlyThose:
    """Leaves out the tests that run other cells, and begins with those that name the task."""

    def __init__(self, cell: str, runs: dict[str, list[str]]) -> None:
        self.cell, self.runs = cell, runs

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep a test that runs the cell, or no cell at all."""
        items[:] = [each for each in items if self.cell in self.runs.get(each.nodeid, [self.cell])]
        items.sort(key=lambda item: self.cell.removesuffix("_check") not in item.name)


def try_all(slug: str) -> int:
    """Try every change of an exercise that was not noticed before; return how many nothing notices.

    What was noticed is known by the cell, its changed source and the tests.
    """
    start, found, alive = time.monotonic(), list(mutants(slug)), 0
    if is_noticed(slug):
        sys.exit(f"the tests of {slug} fail without any change: mend them first")
    limit = PATIENCE * (time.monotonic() - start)
    kept, tests = KEPT / f"{slug}.json", _tests(slug).read_text("utf-8")
    kept.parent.mkdir(parents=True, exist_ok=True)
    noticed = set(json.loads(kept.read_text("utf-8"))) if kept.is_file() else set()
    for cell, what, source in found:
        key = hashlib.sha256((cell + source + tests).encode()).hexdigest()[:16]
        if key in noticed:
            continue
        if is_noticed(slug, cell, source, limit):
            noticed.add(key)
            kept.write_text(json.dumps(sorted(noticed)), encoding="utf-8")
        else:
            alive += 1
            print(f"    {slug}, {cell}, {what}", flush=True)
    seconds = time.monotonic() - start
    print(f"{slug}: {len(found)} changes, {alive} not noticed, {seconds:.0f} s", flush=True)
    return alive


def main() -> int:
    """Do what the command line asks for; return the status."""
    kinds = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kinds)
    parser.add_argument("slugs", nargs="*", help="for example 10_googlenet; default: all")
    parser.add_argument("--list", action="store_true", help="only count the changes")
    options = parser.parse_args()
    slugs = options.slugs or sorted(path.name for path in (ROOT / "solutions").glob("[0-9]*"))
    if options.list:
        for slug in slugs:
            print(f"{slug}: {len(list(mutants(slug)))} changes")
        return 0
    import torch  # noqa: F401 - once here, and not again in each process

    return int(sum(map(try_all, slugs)) > 0)


if __name__ == "__main__":
    sys.exit(main())
