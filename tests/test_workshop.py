"""The workshop guide adds up, and what opens in a container or a browser is what the course is."""

import json
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "classroom/workshop.md").read_text("utf-8")
PLANS = {"Two hours": 120, "A full day": 420}


def rows(plan):
    """Return minutes, what, where, how of each line of a plan's table."""
    (section,) = re.findall(rf"^## {plan}.*?(?=^## )", GUIDE, re.M | re.S)
    cells = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
    return [(int(row[0]), *row[1:]) for row in cells if row[0].strip().isdecimal()]


def lessons(row):
    """Return the number of the lesson that a row is about, if any."""
    return re.findall(r"^ \[?(\d\d)(?=\]|,)", row[2])


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_adds_up(plan):
    assert sum(row[0] for row in rows(plan)) == PLANS[plan]


@pytest.mark.parametrize("plan", PLANS)
def test_a_lesson_takes_half_as_long_again_as_a_reader_needs_at_most(plan):
    readme = (ROOT / "README.md").read_text("utf-8")
    minutes = dict(re.findall(r"\(notebooks/(\d\d)_\S+\.ipynb\) \| (\d+)", readme))
    planned = {}
    for row in rows(plan):
        for number in lessons(row):
            planned[number] = planned.get(number, 0) + row[0]
    assert len(planned) >= 3
    assert {n: m for n, m in planned.items() if m > 1.5 * int(minutes[n])} == {}


def test_what_the_guide_links_is_there():
    links = re.findall(r"\]\((\.\./[^)]+)\)", GUIDE)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / "classroom" / link).resolve().exists()] == []


def test_the_sections_that_a_plan_names_are_in_the_lesson():
    for row in rows("Two hours"):
        for number in lessons(row):
            (path,) = ROOT.glob(f"notebooks/{number}_*.ipynb")
            cells = nbformat.read(path, as_version=4).cells
            headings = re.findall(r"^##+ (.+)$", "\n".join(c.source for c in cells), re.M)
            for name in re.findall(r"\*([^*]+)\*", row[2]):
                assert any(h.startswith(name) for h in headings), f"{path.stem}: {name}"


def test_the_container_has_the_course_s_python_and_runs_its_commands():
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    recipe = (ROOT / ".devcontainer" / settings["build"]["dockerfile"]).read_text("utf-8")
    number = re.search(r"^FROM python:(\d+\.\d+)-", recipe, re.M)[1]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (limits,) = [line.removeprefix("python") for line in conda if str(line).startswith("python>")]
    assert number in SpecifierSet(limits)
    targets = set(re.findall(r"^([\w$()./-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    targets = {target.replace("$(VENV)", ".venv") for target in targets}
    commands = [settings["postCreateCommand"], settings["postAttachCommand"]]
    for program, target, *_ in map(str.split, commands):
        assert program == "make" and target in targets
    assert re.search(r"\bmake\b", recipe) and re.search(r"\bgit\b", recipe)
    assert settings["remoteUser"] in recipe
    port = re.search(r"--port (\d+)", commands[1])[1]
    assert settings["forwardPorts"] == [int(port)] and port in settings["portsAttributes"]


def test_the_public_address_is_one_setting():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["course"]) == {"repository"}
