"""The package's public face: what a reader finds who knows no more than its name."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

import course_utils

ROOT = Path(__file__).resolve().parent.parent
NO_PARTS = {"__main__", "grading"}
"""The command's entry, and the address under which released exercises find `checks`."""


def parts():
    """Return the names of the modules and packages that lie in the package's folder."""
    return {info.name for info in pkgutil.iter_modules(course_utils.__path__)} - NO_PARTS


def public_modules():
    """Return the dotted name of every module whose name has no leading underscore."""
    found = pkgutil.walk_packages(course_utils.__path__, "course_utils.")
    names = [info.name for info in found if "._" not in info.name]
    return ["course_utils", *(name for name in names if name.split(".")[1] not in NO_PARTS)]


def python(code):
    """Run code in a fresh Python; return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_the_package_imports_nothing_heavy():
    code = "import course_utils, sys; print(*sys.modules)"
    loaded = set(python(code).split())
    assert not loaded & {"torch", "numpy", "matplotlib", "ipywidgets", "torchvision"}
    assert {name for name in loaded if name.startswith("course_utils")} == {"course_utils"}


def test_every_part_is_reached_from_the_package_alone():
    code = "import course_utils as c; print([getattr(c, name).__name__ for name in c.__all__])"
    assert ast.literal_eval(python(code)) == [f"course_utils.{name}" for name in sorted(parts())]


def test_what_is_no_part_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'dta'"):
        course_utils.dta  # noqa: B018 - the attribute is what is tested
    assert set(course_utils.__all__) <= set(dir(course_utils))


def test_type_checkers_and_readers_see_the_same_parts():
    tree = ast.parse(Path(course_utils.__file__).read_text("utf-8"))
    (imported,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "course_utils"
    )
    assert {alias.name for alias in imported.names} == set(course_utils.__all__) == parts()


@pytest.mark.parametrize("part", sorted(parts()))
def test_the_guide_says_what_a_part_is_for_and_on_which_floor_it_is(part):
    assert len(re.findall(rf"^    {part}  +\S.*$", course_utils.__doc__, re.MULTILINE)) >= 1
    floors = course_utils.__doc__.partition("on floors below its own:")[2]
    assert part in floors.split()


def test_the_floors_of_the_guide_are_those_that_the_linter_holds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {c["name"]: c for c in project["tool"]["importlinter"]["contracts"]}
    contract = contracts["A module imports only from the floors below its own"]
    held = [
        set(re.findall(r"course_utils\.(\w+)", layer)) - NO_PARTS for layer in contract["layers"]
    ]
    guide = course_utils.__doc__.partition("on floors below its own:")[2].strip().splitlines()
    assert [set(line.split()) for line in guide] == held


def test_the_guide_begins_with_lines_that_work():
    guide = inspect.getdoc(course_utils).split("\n\n")
    code = "\n".join(textwrap.dedent(part) for part in guide[2:4])
    assert code.startswith("import course_utils as course") and "batch_size=64" in code
    code = code.replace("batch_size=64", "batch_size=64, limit=128")
    assert re.fullmatch(r"0\.\d+\n", python(code))


def test_help_tells_where_to_begin():
    text = python("help('course_utils')")
    assert "Begin here: images, a network, its training" in text
    assert course_utils.__version__ in text


def test_the_version_is_written_down_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"] and "version" in project["project"]["dynamic"]
    place = project["tool"]["setuptools"]["dynamic"]["version"]
    assert place == {"attr": "course_utils.__version__"}
    newest = re.search(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest and Version(newest[1]) == Version(course_utils.__version__)


@pytest.mark.parametrize("name", public_modules())
def test_a_public_module_says_what_is_public(name):
    """It has `__all__`, whose names exist, each once, and have no leading underscore."""
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), f"{name} lists no public names"
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert not public.startswith("_"), public
        assert hasattr(module, public), f"{name} has no {public}"


def test_the_names_of_all_modules_are_found():
    assert {"course_utils.data.sets", "course_utils.models.vgg", "course_utils"} <= set(
        public_modules()
    )
    assert inspect.ismodule(course_utils.models)
