"""Notebooks as other programs write them: read as Jupyter reads them, and it is said."""

import codecs
import json
from copy import deepcopy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from convnet_grader import integrity
from convnet_grader.boundary import Refused
from convnet_grader.notebook import read_notebook

ROLE = {"grade_id": "check", "grade": True, "solution": False, "locked": True, "points": 2}
CHECK = "def check():\n    return 1\n\n\ncheck()"


def notebook():
    """An exercise with one check and one answer."""
    cells = [
        new_code_cell(CHECK, id="check", metadata={"nbgrader": ROLE}),
        new_code_cell("x = '김치'", id="mine", outputs=[new_output("stream", text="x")]),
        new_markdown_cell("why", id="why", attachments={"a.png": {"image/png": "QQ=="}}),
    ]
    return new_notebook(cells=cells)


def as_bytes(tree, encoding="utf-8"):
    return json.dumps(tree, ensure_ascii=False).encode(encoding)


def said_of(tree, encoding="utf-8"):
    """Return what is said about a notebook, which has to have all its cells."""
    found, said = read_notebook(as_bytes(tree, encoding))
    nbformat.validate(found)
    assert [cell.source for cell in found.cells] == [cell.source for cell in notebook().cells]
    assert [cell.id for cell in found.cells] == ["check", "mine", "why"]
    assert found.cells[0].metadata.nbgrader == ROLE
    assert integrity.changes(notebook(), found) == []
    return said


def test_what_jupyter_writes_is_read_without_a_word():
    assert said_of(notebook()) == []
    found, _ = read_notebook(as_bytes(notebook()))
    assert found.cells[1].outputs == []
    assert found.cells[2].attachments == {"a.png": {"image/png": "QQ=="}}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_byte_order_mark_and_other_kinds_of_unicode_are_read(encoding):
    [remark] = said_of(notebook(), encoding)
    assert remark.endswith("read anyway")
    assert ("byte-order mark" in remark) == (encoding == "utf-8-sig")


def test_a_mark_alone_does_not_make_a_notebook():
    with pytest.raises(Refused, match="has no notebook inside"):
        read_notebook(codecs.BOM_UTF8)


def older(tree):
    tree["nbformat_minor"] = 4


def with_a_field(tree):
    tree["cells"][1]["outputs"][0]["transient"] = {}


def with_a_field_of_a_cell(tree):
    tree["cells"][1]["source_hidden"] = True


def without_a_count(tree):
    del tree["cells"][1]["execution_count"]


def with_an_odd_output(tree):
    tree["cells"][1]["outputs"] = [{"output_type": "from another program"}]


def with_widgets_without_state(tree):
    tree["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"a": 1}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (older, "'id' was unexpected"),
        (with_a_field, "'transient' was unexpected"),
        (with_a_field_of_a_cell, "'source_hidden' was unexpected"),
        (without_a_count, "'execution_count' is a required property"),
        (with_an_odd_output, ""),
    ],
)
def test_what_jupyter_puts_up_with_is_mended_and_named(change, named):
    tree = notebook()
    change(tree)
    [remark] = said_of(tree)
    assert remark.startswith("is not quite as Jupyter writes a notebook")
    assert named in remark


def test_what_only_a_page_would_need_is_left_out():
    tree = notebook()
    with_widgets_without_state(tree)
    assert said_of(tree) == []
    assert read_notebook(as_bytes(tree))[0].metadata == {}


def test_damaged_attachments_are_left_out():
    tree = notebook()
    tree["cells"][2]["attachments"] = {"a.png": {"image/png": 5}}
    assert len(said_of(tree)) == 1
    assert "attachments" not in read_notebook(as_bytes(tree))[0].cells[2]


def test_a_notebook_of_the_third_format_is_read():
    cell = {"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python"}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    found, said = read_notebook(as_bytes(old))
    assert ([cell.source for cell in found.cells], said) == (["x = 1"], [])


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "   \n"),
        lambda text: f"{text}\n",
        lambda text: text.replace("\n\n\n", "\n \n\t\n") + "  ",
    ],
    ids=["windows", "old mac", "spaces", "one line more", "spaces in empty lines"],
)
def test_the_ends_of_lines_are_no_change_of_a_check(rewrite):
    tree = notebook()
    tree["cells"][0]["source"] = rewrite(CHECK)
    found, said = read_notebook(as_bytes(tree))
    assert said + integrity.changes(notebook(), found) == []


@pytest.mark.parametrize(
    "source", [CHECK.replace("1", "2"), CHECK.replace("    ", "  "), "", "2.0"]
)
def test_a_change_of_a_check_is_one(source):
    tree = notebook()
    tree["cells"][0]["source"] = source
    found, _ = read_notebook(as_bytes(tree))
    assert integrity.changes(notebook(), found) == ["check was changed"]


def test_half_a_character_is_read_as_an_unknown_one():
    tree = deepcopy(notebook())
    tree["cells"][1]["source"] = "x = '\ud83d'"
    found, _ = read_notebook(json.dumps(tree).encode())
    assert found.cells[1].source == "x = '?'"


@pytest.mark.parametrize(
    "tree",
    [[], 5, "text", {}, {"nbformat": 4}, {"nbformat": 9, "cells": []}, {"cells": [3]}],
)
def test_what_jupyter_cannot_open_is_refused(tree):
    with pytest.raises(Refused, match="has no notebook inside"):
        read_notebook(as_bytes(tree))
