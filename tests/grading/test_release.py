"""What is handed out: equal to a fresh release, complete, and without answers."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
SLUGS = sorted(path.stem for path in ROOT.glob("sources/exercises/*.py"))
REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(?P<inside>.*?)### END \1", re.DOTALL)


def read(kind, slug):
    return nbformat.read(ROOT / kind / slug / f"{slug}.ipynb", as_version=4)


def roles(notebook):
    """Return the cells that have a role, by their names."""
    found = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell for cell in found}


def test_there_are_exercises():
    assert "07_lenet" in SLUGS


def test_exercises_equal_a_fresh_release_and_nothing_is_left_behind(release_tool):
    def state():
        kept = [ROOT / "solutions", ROOT / "exercises", ROOT / "classroom", ROOT / ".course"]
        files = sorted(file for folder in kept for file in folder.rglob("*.*"))
        return [
            (file, file.stat().st_mtime_ns) for file in files if "__pycache__" not in file.parts
        ]

    before = state()
    assert release_tool.release(SLUGS, check=True) == []
    assert state() == before
    assert not (ROOT / "gradebook.db").exists()


def test_a_stale_release_is_found_and_replaced(release_tool, tmp_path, monkeypatch):
    monkeypatch.setattr(release_tool, "release_bytes", lambda slugs, root: [b"new"] * len(slugs))
    for kind, slug in [("solutions", "a"), ("solutions", "b"), ("exercises", "a")]:
        (tmp_path / kind / slug).mkdir(parents=True)
        (tmp_path / kind / slug / f"{slug}.ipynb").write_bytes(b"old")
    stale = [str(Path("exercises", slug, f"{slug}.ipynb")) for slug in "ab"]

    assert release_tool.release(["a", "b"], check=True, root=tmp_path) == stale
    assert (tmp_path / stale[0]).read_bytes() == b"old"
    assert not (tmp_path / stale[1]).exists()

    assert release_tool.release(["a", "b"], check=False, root=tmp_path) == stale
    assert [(tmp_path / path).read_bytes() for path in stale] == [b"new", b"new"]
    assert release_tool.release(["a", "b"], check=True, root=tmp_path) == []

    shutil.rmtree(tmp_path / "solutions" / "a")
    assert release_tool.release(["b"], check=True, root=tmp_path) == stale[:1]


def test_what_nbgrader_refuses_is_said(release_tool, tmp_path):
    folder = tmp_path / "solutions" / "broken"
    folder.mkdir(parents=True)
    cell = nbformat.v4.new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "broken.ipynb")
    with pytest.raises(RuntimeError, match="Solution region detected in a non-solution cell"):
        release_tool.release(["broken"], check=True, root=tmp_path)


@pytest.mark.parametrize("slug", SLUGS)
def test_no_answer_and_no_hidden_check_is_handed_out(slug):
    secret, public = [], []
    for cell in read("solutions", slug).cells:
        role = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown":
            (secret if role.get("solution") else public).append(cell.source)
        else:
            secret += [part["inside"] for part in REGION.finditer(cell.source)]
            public.append(REGION.sub("", cell.source))
    handed_out = "\n".join(cell.source for cell in read("exercises", slug).cells)

    def lines(parts):
        return {line.strip() for line in "\n".join(parts).split("\n") if len(line.strip()) > 1}

    only_secret = lines(secret) - lines(public)  # both have imports, brackets and the like
    assert len(only_secret) > 40, "the regions were not found"
    assert only_secret & lines([handed_out]) == set()
    # Visible checks name slips too, but on inputs of their own, as literals.
    assert not re.search(r"BEGIN|HIDDEN|award|quiz\.(right|numbers|solution)", handed_out)


@pytest.mark.parametrize("slug", SLUGS)
def test_an_exercise_is_handed_out_without_outputs(slug):
    cells = [cell for cell in read("exercises", slug).cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_points_add_up_and_every_answer_is_checked(slug):
    solution = read("solutions", slug)
    cells = roles(solution)
    graded = {name: cell for name, cell in cells.items() if cell.metadata.nbgrader.grade}
    points = sum(cell.metadata.nbgrader.points for cell in graded.values())
    assert f"**Points:** {points}" in solution.cells[0].source
    assert re.search(r"\*\*Minutes:\*\* \d+", solution.cells[0].source)
    for cell in graded.values():
        if not cell.metadata.nbgrader.solution:
            assert f"checks.award({cell.metadata.nbgrader.points}, " in cell.source
            assert cell.source.endswith("### END HIDDEN TESTS")
    order = [cell.metadata.nbgrader for name, cell in cells.items() if name != "prediction"]
    for cell, after in zip(order, [*order[1:], None], strict=True):
        if cell.solution and not cell.grade:
            assert after is not None and after.grade and not after.solution, cell.grade_id


@pytest.mark.xdist_group("warm kernels")
@pytest.mark.parametrize("slug", SLUGS)
def test_run_all_on_an_untouched_exercise_without_nbgrader(
    slug, warm_kernel, tmp_path, monkeypatch
):
    missing = tmp_path / "packages" / "nbgrader"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('nbgrader is not installed here')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(missing.parent), str(ROOT)]))

    notebook = read("exercises", slug)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name=warm_kernel, resources=place).execute()

    answers = [name for name, cell in roles(notebook).items() if name.endswith("_check")]
    texts = ["".join(o.get("text", "") for o in roles(notebook)[name].outputs) for name in answers]
    assert texts == ["✗ not answered yet\n"] * len(answers)
