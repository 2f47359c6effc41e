"""The changes that are made to the exercises' checks are real, and leave the rest as it was."""

from types import SimpleNamespace

import pytest
from scripts import load_script

tool = load_script("tools/mutate_checks.py")


def made(source):
    """Return each change in words -> the changed source."""
    return dict(tool.changes(source))


@pytest.mark.parametrize(
    ("source", "what", "changed"),
    [
        ("checks.require(a, b)", "line 1: without checks.require(a, b)", "pass"),
        ("check_small(answer)", "line 1: without check_small(answer)", "pass"),
        ("if a:\n    raise E", "line 2: without raise E", "if a:\n    pass"),
        ("x = a < b", "line 1: a < b -> a <= b", "x = a <= b"),
        ("x = a == b", "line 1: a == b -> a != b", "x = a != b"),
        ("x = a and b", "line 1: a and b -> a or b", "x = a or b"),
        ("for a in [1, 2]:\n    f(a)", "line 1: only [1]", "for a in [1]:\n    f(a)"),
    ],
)
def test_a_change_is_told_and_made(source, what, changed):
    assert made(source) == {what: changed}


def test_each_change_is_made_alone():
    source = "checks.require(a < b < c, d)\nchecks.require(e and f, g)"
    changed = made(source)
    assert len(changed) == 5
    assert all(each != source for each in changed.values())
    assert len(set(changed.values())) == 5


@pytest.mark.parametrize("source", ["x = 1", "print(a)", "def f():\n    return 2"])
def test_what_demands_nothing_is_left_alone(source):
    assert made(source) == {}


def test_every_exercise_has_changes_and_no_two_are_the_same():
    found = list(tool.mutants("10_googlenet"))
    assert {cell for cell, _, _ in found} >= {"evidence_check", "experiment_check"}
    assert len({(cell, source) for cell, _, source in found}) == len(found) > 40


def test_a_change_of_a_check_is_noticed_and_none_is_not(monkeypatch):
    monkeypatch.setattr(tool, "_run_tests", lambda slug, cell, source: exit(source == "changed"))
    assert tool.is_noticed("10_googlenet", "evidence_check", "changed")
    assert not tool.is_noticed("10_googlenet")


def test_tests_that_run_other_cells_are_left_out():
    runs = {"right": ["split_check", "sum_check"], "other": ["sum_check"], "split": ["split_check"]}
    items = [SimpleNamespace(nodeid=name, name=name) for name in ("right", "other", "split", "all")]
    tool._OnlyThose("split_check", runs).pytest_collection_modifyitems(items)
    assert [item.name for item in items] == ["split", "right", "all"]


def test_it_is_noted_which_cells_a_test_runs(tmp_path):
    notes = tool._Notes("10_googlenet", tmp_path / "noted.json")
    [cell] = [source for source, name in notes.names.items() if name == "repair_check"]
    shared = SimpleNamespace(run_test_cell=lambda source, space: "ran")
    manager = SimpleNamespace(get_plugins=lambda: [object(), shared])
    notes.pytest_collection_finish(SimpleNamespace(config=SimpleNamespace(pluginmanager=manager)))
    notes.pytest_runtest_logstart("a test")
    assert shared.run_test_cell(cell, {}) == "ran"
    notes.pytest_sessionfinish()
    assert tool.json.loads(notes.file.read_text()) == {"a test": ["repair_check"]}
