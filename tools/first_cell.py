"""The set-up cell and the links that the builder adds to each notebook.

A notebook opened on Colab comes without the course. The set-up cell, right below the title, then
installs it; if the course is there, it does nothing. Only `[tool.course]` in `pyproject.toml` says
where the course comes from.
"""

import re
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
CELL_ID = "get-the-course"
# Colab's own front end goes with the versions that it has; without JupyterLab nothing else moves.
COLAB_HAS = {"jupyterlab", "ipywidgets"}
README_LINKS = re.compile(r"(<!-- links, by tools/build.py -->).*(<!-- end -->)")
HEAD = """\
# @title Set-up: gets the course where it is missing (Colab), does nothing elsewhere
from importlib.util import find_spec

if find_spec("course_utils") is None:
"""
INSTALL = """\
    %pip install --quiet --no-deps git+{address}
    %pip install --quiet {needed}"""
REFUSE = """\
    raise ModuleNotFoundError(
        "The course is not installed here. Open this notebook by `make lab` in a copy of the "
        "whole course, or install that copy: pip install ./FOLDER-OF-THE-COURSE"
    )"""


def repository() -> str:
    """Return the public address of the course; empty as long as it has none.

    Raises:
        ValueError: `pyproject.toml` has an address that pip cannot install from.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    address = settings["tool"]["course"]["repository"].removesuffix("/")
    if address and not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", address):
        raise ValueError(
            f"tool.course.repository is {address!r}: write it as https://HOST/OWNER/NAME"
        )
    return address


def dependencies() -> list[str]:
    """Return what the notebooks need besides the course and their front end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {line: re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    return [line for line, name in names.items() if name not in COLAB_HAS]


def set_up_cell(address: str) -> NotebookNode:
    """Return the cell; without an `address` it says what to do instead of doing it."""
    needed = " ".join(f'"{line}"' for line in dependencies())
    body = INSTALL.format(address=address, needed=needed) if address else REFUSE
    # Folded: in JupyterLab it is one grey line; Colab shows the title of a form.
    metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
    metadata["slideshow"] = {"slide_type": "skip"}
    return nbformat.v4.new_code_cell(HEAD + body, id=CELL_ID, metadata=metadata)


def links(address: str, notebook: str) -> str:
    """Return links that open a notebook, or the course, without installing anything.

    They are words, not badges: a badge is an image that is fetched when the notebook opens.

    Args:
        address: What `repository` returns.
        notebook: A path below the root; empty for the course as a whole.

    Returns:
        One line of markdown; empty if the services cannot read the address.
    """
    github = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", address)
    if not github:
        return ""
    found = [f"[Open in Codespaces](https://codespaces.new/{github[1]})"]
    if notebook:
        colab = f"https://colab.research.google.com/github/{github[1]}/blob/main/{notebook}"
        found.insert(0, f"[Open in Colab]({colab})")
    return " · ".join(found)


def update_readme(*, check: bool) -> list[str]:
    """Put the links of the course as a whole into the README; return its name if it was behind.

    Args:
        check: Write nothing.
    """
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    fresh = README_LINKS.sub(rf"\1{links(repository(), '')}\2", text)
    if fresh != text and not check:
        readme.write_text(fresh, "utf-8")
    return [readme.name] if fresh != text else []


def add_opening(notebook: NotebookNode, path: str) -> None:
    """Put the set-up cell below the title, and the links into the title.

    Args:
        notebook: Changed in place.
        path: Where the learner's version of it is, below the root.
    """
    address = repository()
    title = notebook.cells[0]
    after_title = int(title.cell_type == "markdown")
    if after_title and (line := links(address, path)):
        title.source += f"\n\n{line}"
    notebook.cells.insert(after_title, set_up_cell(address))
