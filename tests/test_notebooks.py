"""What holds for every built notebook, whatever it teaches."""

import base64
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from course_utils.plots.display import to_html

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(ROOT.glob("notebooks/*.ipynb"))
SOLUTIONS = sorted(ROOT.glob("solutions/*/*.ipynb"))
EXERCISES = sorted(ROOT.glob("exercises/*/*.ipynb"))
EXECUTED = LESSONS + SOLUTIONS
SECTIONS = ("After this lesson you can", "Pop quiz", "What to remember", "Further reading")


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


def name(path):
    return path.relative_to(ROOT).as_posix()


def test_there_are_notebooks():
    assert LESSONS and SOLUTIONS and EXERCISES


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_it_ran_without_an_error_and_kept_its_outputs(path):
    assert outputs(path)
    assert not [output for output in outputs(path) if output.output_type == "error"]


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_it_warned_of_nothing(path):
    texts = [output.text for output in outputs(path) if output.get("name") == "stderr"]
    assert not texts


@pytest.mark.parametrize("path", EXECUTED + EXERCISES, ids=name)
def test_it_is_small_enough_to_be_mailed(path):
    assert path.stat().st_size <= 2_000_000


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_every_picture_has_an_alt_text(path):
    for output in outputs(path):
        bundle = output.get("data", {})
        page = "".join(bundle.get("text/html", ""))
        assert "image/png" not in bundle, "show(figure, alt) gives a picture its text"
        for tag in re.findall(r"<img [^>]*>", page):
            assert re.search(r'alt="[^"]{10,}"', tag), tag[:200]


def cut_off(page):
    """The sides at which something in a page's figures reaches the edge, and so may go on."""
    found = []
    for data in re.findall(r'src="data:image/webp;base64,([^"]+)"', page):
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
        sides = {"top": drawn[0], "bottom": drawn[-1], "left": drawn[:, 0], "right": drawn[:, -1]}
        found += [side for side, pixels in sides.items() if pixels.min() < 230]
    return found


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_no_label_leaves_its_figure(path):
    pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs(path)]
    assert not [(number, side) for number, page in enumerate(pages) for side in cut_off(page)]


@pytest.mark.parametrize("words, sides", [(1, []), (20, ["top", "bottom"])])
def test_a_label_that_leaves_its_figure_is_found(words, sides):
    figure = Figure((3, 2), layout="constrained")
    figure.subplots().set_ylabel("\N{EM DASH}" * 4 * words)  # one line, without a gap
    assert cut_off(to_html(figure, "A curve.")) == sides


@pytest.mark.parametrize("path", EXECUTED, ids=name)
def test_nbval_compares_most_of_it(path):
    cells = code_cells(path)
    ignored = [c for c in cells if "nbval-ignore-output" in c.metadata.get("tags", [])]
    # Lessons that train vary by nature; half of a lesson must be promises all the same.
    assert len(ignored) <= len(cells) * (0.6 if path in LESSONS else 0.4)


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_cell_holds_one_idea(path):
    for cell in code_cells(path):
        inlined = cell.source.startswith("# The same code as in")
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert inlined or len(lines) <= 15, cell.id


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_has_all_its_parts(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    missing = [part for part in SECTIONS if part not in text]
    if path.stem == "00_start_here":
        missing = [part for part in missing if part != "Further reading"]
    assert not missing
    assert "**Next**" in text or "## Now you" in text
    assert re.match(rf"# {path.stem[:2]} · ", text)
    assert re.search(r"\*\*Time\*\* \d+ minutes", text)


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_with_a_short_path_gives_the_minutes_of_both(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    marked = re.findall(r"^#+ .* ◇$", text, re.MULTILINE)
    both = re.search(
        r"\*\*Time\*\* (\d+) minutes; (\d+) if you leave out the sections marked ◇", text
    )
    assert bool(marked) == bool(both) and text.count("◇") == len(marked) + bool(both)
    assert not both or int(both[1]) > int(both[2])


@pytest.mark.parametrize("path", EXECUTED + EXERCISES, ids=name)
def test_no_path_of_the_building_machine_is_in_it(path):
    text = path.read_text("utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"(/home/|/root/|/tmp/)", text)


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_links_to_other_notebooks_lead_somewhere(path):
    for cell in read(path).cells:
        for link in re.findall(r"\]\(([^)#]+\.ipynb)", cell.source):
            assert (path.parent / link).resolve().is_file(), link


def test_the_readme_lists_each_lesson_with_its_minutes():
    readme = (ROOT / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"\[[^\]]+\]\(notebooks/(\S+)\.ipynb\) \| (\d+)", readme))
    minutes = {}
    for path in LESSONS:
        text = "\n".join(cell.source for cell in read(path).cells)
        minutes[path.stem] = re.search(r"\*\*Time\*\* (\d+) minutes", text)[1]
    assert listed == minutes
