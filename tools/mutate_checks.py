"""Change the checks of the exercises, one at a time, and see whether a test notices.

    python tools/mutate_checks.py                   every exercise: hours on two cores
    python tools/mutate_checks.py 10_googlenet      one of them
    python tools/mutate_checks.py --list            only say how many changes there would be

A check that could be left out, or be more or less strict, without any wrong answer getting points
or any right one losing them, is a check that nobody has tried. `make mutate` does the same to the
package; the checks are cells of notebooks, which its tool cannot change. Each change runs the
exercise's tests in a process of its own, and is done when the first of them fails. What is noticed
is noted in `.records/mutants`, so that a second call goes on where the first has stopped. The
exit status is 1 if a change was not noticed.
"""

import argparse
import ast
import copy
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

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
SECONDS = 300  # for the tests of one exercise: a change may make a loop endless


@dataclass(frozen=True)
class Mutant:
    """One change of a test cell."""

    slug: str
    cell: str
    what: str
    source: str

    @property
    def key(self) -> str:
        """A name that changes with the cell and with the tests."""
        test = ROOT / "tests" / "grading" / f"test_exercise_{self.slug[:2]}.py"
        text = self.cell + self.source + test.read_text("utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def mutants(slug: str) -> Iterator[Mutant]:
    """Yield the changes of an exercise's test cells."""
    notebook = nbformat.read(ROOT / "solutions" / slug / f"{slug}.ipynb", as_version=4)
    for cell in notebook.cells:
        role = cell.metadata.get("nbgrader", {})
        if (
            cell.cell_type == "code"
            and role.get("grade")
            and not role["grade_id"].startswith("ask")
        ):
            tree = ast.parse(cell.source)
            for what, changed in changes(tree):
                yield Mutant(slug, role["grade_id"], what, ast.unparse(changed))


def changes(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Yield each change in words, and the whole cell with it."""
    places = [node for node in ast.walk(tree) if not isinstance(node, ast.expr_context)]
    for index, node in enumerate(places):
        for number in range(len(_changed(node))):
            whole = copy.deepcopy(tree)
            same = [each for each in ast.walk(whole) if not isinstance(each, ast.expr_context)]
            words = _changed(same[index])[number]
            yield words(), whole


def _changed(node: ast.AST) -> list:
    """Return functions, each of which makes one change to a node and returns it in words."""
    found = []
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        if isinstance(body, list):
            found += [
                lambda body=body, i=i: _left_out(body, i)
                for i, statement in enumerate(body)
                if _is_a_demand(statement)
            ]
    if isinstance(node, ast.Compare):
        found += [
            lambda i=i: _other_comparison(node, i)
            for i, operator in enumerate(node.ops)
            if type(operator) in OTHER
        ]
    if isinstance(node, ast.BoolOp):
        found.append(lambda: _other_join(node))
    if isinstance(node, ast.For) and isinstance(node.iter, ast.List) and len(node.iter.elts) > 1:
        found.append(lambda: _only_first(node.iter))
    return found


def _is_a_demand(statement: ast.stmt) -> bool:
    """Return whether a statement is a call that stops where an answer is wrong, or raises."""
    if isinstance(statement, ast.Raise):
        return "NotAnswered" not in ast.unparse(statement)  # test_every_exercise.py holds these
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    name = ast.unparse(statement.value.func)
    return name.startswith("checks.require") or "require" in name or "check" in name.split(".")[-1]


def _left_out(body: list[ast.stmt], index: int) -> str:
    words = ast.unparse(body[index]).splitlines()[0][:90]
    line, body[index] = body[index].lineno, ast.Pass()
    return f"line {line}: without {words}"


def _other_comparison(node: ast.Compare, index: int) -> str:
    before = ast.unparse(node)
    node.ops[index] = OTHER[type(node.ops[index])]()
    return f"line {node.lineno}: {before[:70]} -> {ast.unparse(node)[:70]}"


def _other_join(node: ast.BoolOp) -> str:
    before = ast.unparse(node)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return f"line {node.lineno}: {before[:70]} -> {ast.unparse(node)[:70]}"


def _only_first(items: ast.List) -> str:
    items.elts = items.elts[:1]
    return f"line {items.lineno}: only {ast.unparse(items)[:70]}"


def is_noticed(slug: str, cell: str = "", source: str = "") -> bool:
    """Run an exercise's tests with another source of one cell; return whether one fails."""
    process = get_context("fork").Process(target=_run_tests, args=(slug, cell, source))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


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

    class FirstItsOwn:
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            """Begin with the tests that name the task: they notice most."""
            items.sort(key=lambda item: cell.removesuffix("_check") not in item.name)

    nbformat.read = read_changed
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    test = ROOT / "tests" / "grading" / f"test_exercise_{slug[:2]}.py"
    options = [str(test), "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    os._exit(int(pytest.main(options, plugins=[FirstItsOwn()])))


def try_all(slugs: list[str]) -> list[Mutant]:
    """Try every change that was not noticed before; return those that nothing notices."""
    survivors = []
    for slug in slugs:
        start, found = time.monotonic(), list(mutants(slug))
        if is_noticed(slug):
            sys.exit(f"the tests of {slug} fail without any change: mend them first")
        kept = KEPT / f"{slug}.json"
        known = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
        for mutant in found:
            if not known.get(mutant.key):
                known[mutant.key] = is_noticed(slug, mutant.cell, mutant.source)
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(known), encoding="utf-8")
            if not known[mutant.key]:
                survivors.append(mutant)
                print(f"    {slug}, {mutant.cell}, {mutant.what}", flush=True)
        alive = sum(not known[mutant.key] for mutant in found)
        seconds = time.monotonic() - start
        print(f"{slug}: {len(found)} changes, {alive} not noticed, {seconds:.0f} s", flush=True)
    return survivors


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

    return int(bool(try_all(slugs)))


if __name__ == "__main__":
    sys.exit(main())
