"""What a code host reads: workflows, hooks, citation and templates agree with the course."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

import course_utils

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = SETTINGS["project"]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text("utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def commands(job):
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_workflow_runs_the_two_commands_of_the_readme():
    matrix = WORKFLOW["jobs"]["make"]["strategy"]["matrix"]
    ran = [" ".join(command.split()[:2]) for command in commands("make")]
    assert ran == ["make lab", "make test"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos"}


def test_the_workflow_runs_the_oldest_python_that_is_promised():
    tried = WORKFLOW["jobs"]["make"]["strategy"]["matrix"]["python"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(version in allowed for version in tried)
    oldest = min(tried, key=lambda version: int(version.split(".")[1]))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert "3.14" in tried


def test_windows_is_set_up_as_the_readme_says():
    assert WORKFLOW["jobs"]["conda"]["runs-on"].startswith("windows")
    ran = " ".join(commands("conda"))
    assert "env create --file environment.yml" in ran
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in ("env create --file environment.yml", "python -m course_utils lab"):
        assert command in ran and command in readme
    assert ran.count(f"--name {CONDA['name']} ") == ran.count(" run ") == 3


def test_actions_are_pinned_to_a_version_and_may_only_read():
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", name) for name in used)
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_every_job_ends_by_itself():
    assert all(job["timeout-minutes"] <= 120 for job in WORKFLOW["jobs"].values())


def test_the_hooks_are_the_linter_of_the_environment():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repo["repo"] == "local"
    checks = (ROOT / "tools/check.py").read_text("utf-8")
    for hook in repo["hooks"]:
        program, verb = hook["entry"].split()[:2]
        assert program == ".venv/bin/ruff" and hook["language"] == "system"
        assert f'/ruff", "{verb}"' in checks


def test_the_citation_is_of_this_release_and_names_no_person():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## (\d\S+) - (\S+)$", changes, re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (cited["version"], str(cited["date-released"]))
    assert cited["version"] == course_utils.__version__
    assert cited["license"] == PROJECT["license"]
    assert cited["authors"] == [{"name": "The authors of the course"}]


def test_there_is_a_form_for_each_kind_of_issue():
    assert [form.stem for form in FORMS] == ["broken_notebook", "idea", "wrong_fact"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_something_that_must_be_answered(path):
    form = yaml.safe_load(path.read_text("utf-8"))
    assert form["name"] and form["description"] and form["labels"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea")
        assert field["attributes"]["label"]
    assert any(field.get("validations") == {"required": True} for field in form["body"])


def test_whoever_reports_a_broken_notebook_is_asked_for_the_doctor():
    assert "python -m course_utils doctor" in (FORMS[0]).read_text("utf-8")


def test_the_security_note_points_to_what_the_sandbox_promises():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    for name in re.findall(r"`([\w/]+\.md)`", text):
        assert (ROOT / name).is_file(), name
    assert "sandbox" in (ROOT / "classroom/README.md").read_text("utf-8")


def test_the_files_that_are_mutated_and_the_tests_that_notice_are_there():
    mutation = SETTINGS["tool"]["mutmut"]
    named = mutation["only_mutate"] + mutation["pytest_add_cli_args_test_selection"]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_makefile_reads_no_variable_that_nobody_sets():
    text = (ROOT / "Makefile").read_text("utf-8")
    read = set(re.findall(r"\$\((\w+)\)", text))
    assert read - set(re.findall(r"^(\w+) *[:?]?=", text, re.MULTILINE)) == {"MAKEFILE_LIST"}
