"""The set-up cell and the links: what they say, what the cell does; which cells are slides."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "https://github.com/someone/convnets"
BUILT = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")])
EXERCISES = sorted(ROOT.glob("exercises/*/*.ipynb"))


@pytest.fixture(scope="module")
def first_cell():
    return load_script("tools/first_cell.py")


@pytest.fixture(scope="module")
def slide_types():
    return load_script("tools/slide_types.py")


# --- What the cell does ----------------------------------------------------------------------

# Runs a cell as a kernel does; without the course, its folder and its finder are taken away.
RUN = """
import sys
from importlib.util import find_spec
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

source, present = sys.stdin.read(), sys.argv[1] == "present"
shell = InteractiveShell.instance()
if not present:
    root = Path(sys.argv[2])
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != root]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
assert (find_spec("course_utils") is not None) == present
before = set(shell.user_ns)
result = shell.run_cell(source)
print("NEW", sorted(set(shell.user_ns) - before - {"_i", "_i1", "find_spec"}))
print("TORCH", "torch" in sys.modules)
print("ERROR", result.error_in_exec)
"""
FAKE_PIP = "import json, sys\nwith open({!r}, 'a') as f: f.write(json.dumps(sys.argv[1:]) + '\\n')"


@pytest.fixture
def run(tmp_path):
    """Run a cell in a fresh process; return what it printed, and each call of pip."""
    log, pip = tmp_path / "calls", tmp_path / "fake/pip"
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(FAKE_PIP.format(str(log)))

    def call(source, state):
        env = os.environ | {"PYTHONPATH": str(pip.parent), "IPYTHONDIR": str(tmp_path)}
        command = [sys.executable, "-c", RUN, state, str(ROOT)]
        done = subprocess.run(
            command, input=source, env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        calls = log.read_text().splitlines() if log.exists() else []
        return done.stdout, [json.loads(line) for line in calls]

    return call


def test_where_the_course_is_missing_it_is_installed(first_cell, run):
    printed, calls = run(first_cell.set_up_cell(ADDRESS).source, "missing")
    assert calls[0] == ["install", "--quiet", "--no-deps", f"git+{ADDRESS}"]
    assert calls[1][:2] == ["install", "--quiet"]
    assert {"anywidget>=0.9.13", "captum>=0.8"} <= set(calls[1])
    assert not [word for word in calls[1] if word.startswith(("jupyterlab", "ipywidgets"))]
    assert len(calls) == 2 and "ERROR None" in printed


@pytest.mark.parametrize("address", [ADDRESS, ""])
def test_where_it_is_there_nothing_happens(first_cell, run, address):
    printed, calls = run(first_cell.set_up_cell(address).source, "present")
    assert calls == []
    assert printed == "NEW []\nTORCH False\nERROR None\n"


def test_without_an_address_it_says_what_to_do(first_cell, run):
    printed, calls = run(first_cell.set_up_cell("").source, "missing")
    assert calls == []
    assert "ERROR The course is not installed here. Open this notebook by `make lab`" in printed


# --- Where it stands -------------------------------------------------------------------------


@pytest.mark.parametrize("path", BUILT + EXERCISES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_notebook_has_the_cell_below_its_title(first_cell, path):
    cells = nbformat.read(path, as_version=4).cells
    fresh = first_cell.set_up_cell(first_cell.repository())
    found = [(i, c) for i, c in enumerate(cells) if c.id == first_cell.CELL_ID]
    assert [i for i, _ in found] == [1]
    assert (found[0][1].source, found[0][1].metadata) == (fresh.source, fresh.metadata)
    assert found[0][1].outputs == []


def test_a_new_address_changes_no_output(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    build = load_script("tools/build.py")
    import first_cell

    source, target = ROOT / "sources/lessons/00_start_here.py", tmp_path / "00_start_here.ipynb"
    before = nbformat.read(ROOT / "notebooks/00_start_here.ipynb", as_version=4)
    nbformat.write(before, target)
    monkeypatch.setattr(first_cell, "repository", lambda: ADDRESS)
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("nothing had to be executed"))
    assert build.build_one(source, target, force=False, check=False)
    after = nbformat.read(target, as_version=4)
    assert f"git+{ADDRESS}" in after.cells[1].source and "Open in Colab" in after.cells[0].source

    def results(book):
        return [(c.id, c.outputs, c.execution_count) for c in book.cells if c.cell_type == "code"]

    assert results(before) == results(after)


# --- The address -----------------------------------------------------------------------------


def with_address(monkeypatch, tmp_path, first_cell, address):
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    text = re.sub(r'^repository = ".*"$', f'repository = "{address}"', text, flags=re.M)
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    monkeypatch.setattr(first_cell, "ROOT", tmp_path)


@pytest.mark.parametrize("address", ["", ADDRESS, "https://git.example.org/group/sub/name"])
def test_an_address_is_taken_as_it_is(first_cell, monkeypatch, tmp_path, address):
    with_address(monkeypatch, tmp_path, first_cell, f"{address}/" if address else "")
    assert first_cell.repository() == address


@pytest.mark.parametrize("address", ["github.com/a/b", "git@github.com:a/b", "https://host/one"])
def test_what_is_no_address_is_refused(first_cell, monkeypatch, tmp_path, address):
    with_address(monkeypatch, tmp_path, first_cell, address)
    with pytest.raises(ValueError, match=f"tool.course.repository is '{address}': write it as"):
        first_cell.repository()


def test_links_are_made_for_github_only(first_cell):
    line = first_cell.links(ADDRESS, "notebooks/07_lenet.ipynb")
    assert "(https://colab.research.google.com/github/someone/convnets/blob/main/notebooks/" in line
    assert "(https://codespaces.new/someone/convnets)" in line
    assert "![" not in line, "a badge would be fetched from elsewhere when the notebook opens"
    assert "Colab" not in first_cell.links(ADDRESS, "")
    assert first_cell.links("", "a") == first_cell.links("https://example.org/a/b", "a") == ""


def test_the_readme_gets_the_links_and_loses_them_again(first_cell, monkeypatch, tmp_path):
    with_address(monkeypatch, tmp_path, first_cell, ADDRESS)
    text = (ROOT / "README.md").read_text("utf-8")
    readme = tmp_path / "README.md"
    readme.write_text(text, "utf-8")
    assert first_cell.update_readme(check=True) == ["README.md"] and readme.read_text() == text
    assert first_cell.update_readme(check=False) == ["README.md"]
    assert "[Open in Codespaces](https://codespaces.new/someone/convnets)" in readme.read_text()
    assert first_cell.update_readme(check=True) == []
    with_address(monkeypatch, tmp_path, first_cell, first_cell_address())
    first_cell.update_readme(check=False)
    assert readme.read_text("utf-8") == text


def first_cell_address():
    return load_script("tools/first_cell.py").repository()


# --- Slides ----------------------------------------------------------------------------------


def cells(*sources):
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    return [markdown(s[3:]) if s.startswith("md ") else code(s) for s in sources]


def test_the_rule_for_slides(slide_types):
    found = cells(
        "md # Title",
        "import torch\n\nx = 1",
        "md ## Part",
        "print(1)",
        "print(2)",
        "md Text. **Predict, then run.** How many?",
        "print(3)",
        "md ### Section",
        "class A:\n    pass",
        "md ## Further reading",
        "%pip list",
    )
    expected = "slide skip slide - subslide subslide fragment subslide - skip skip"
    assert list(slide_types.slide_types(found)) == expected.split()


def test_the_slides_leave_out_what_a_first_reading_may_skip(slide_types):
    found = cells("md # Title", "md ## Deep ◇", "print(1)", "md ### Deeper", "md ## Next",
                  "print(2)", "md ### Deep ◇", "print(3)", "md ### Also ◇", "md ### Next",
                  "print(4)")  # fmt: skip
    expected = "slide skip skip skip slide - skip skip skip subslide -"
    assert list(slide_types.slide_types(found)) == expected.split()


def test_the_title_of_the_set_up_cell_says_what_it_does(first_cell):
    with_address, without = (first_cell.set_up_cell(at).source for at in (ADDRESS, ""))
    assert "# @title Set-up: installs the course where" in with_address and "pip" in with_address
    assert "# @title Set-up: says how to install the course where" in without
    assert "%pip" not in without


def test_a_cell_may_say_otherwise(slide_types):
    found = cells("md # Title", "print(1)")
    found[1].metadata["slide"] = "skip"
    assert list(slide_types.slide_types(found)) == ["slide", "skip"]
    found[1].metadata["slide"] = "slied"
    with pytest.raises(ValueError, match="slide='slied': choose one of slide, subslide"):
        list(slide_types.slide_types(found))


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda p: p.stem)
def test_every_lesson_has_slides(path):
    book = nbformat.read(path, as_version=4)
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in book.cells]
    parts = [cell for cell in book.cells if cell.source.startswith("## ")]
    marked = [cell for cell in parts if cell.source.splitlines()[0].endswith("◇")]
    assert kinds[0] == "slide" and kinds.count("slide") >= len(parts) - len(marked)
    assert all(cell.metadata["slideshow"]["slide_type"] == "skip" for cell in marked)
    assert kinds.count("skip") < len(kinds) / 3
