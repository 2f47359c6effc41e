"""The slides of a lesson, opened in Chromium with the network cut off."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser_pages import watched
from programs import NEEDS
from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
LESSON = "03_convolution"  # formulas, figures, a table, a widget, a class, a quiz
pytestmark = pytest.mark.xdist_group("slides")


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/slides.py")


@pytest.fixture(scope="module")
def page_file(npm, registry, tmp_path_factory):
    """The slides of a lesson, made by the command."""
    out = tmp_path_factory.mktemp("slides")
    command = [sys.executable, str(ROOT / "tools/slides.py"), LESSON]
    command += ["--out", str(out), "--assets", str(out / "npm")]
    done = subprocess.run(command, capture_output=True, text=True)
    if "is there a network?" in done.stderr:
        NEEDS["registry"].skip()
    assert done.returncode == 0, done.stderr
    again = (out / f"{LESSON}.html").read_bytes()
    subprocess.run(command, capture_output=True, check=True)
    assert (out / f"{LESSON}.html").read_bytes() == again, "the same inputs, the same bytes"
    return out / f"{LESSON}.html"


@pytest.fixture(scope="module")
def show(page_file, browser):
    """The page in Chromium, and what it asked other machines for."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 720})
    notes = watched(context)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-slides=ready]", state="attached")
    yield page, notes
    context.close()


MEASURE = """() => Reveal.getSlides().map((slide) => {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    const content = slide.querySelector(".fitted");
    const pictures = [...slide.querySelectorAll("img[width]")];
    return {
        text: slide.innerText, zoom: Number(content.style.zoom || 1),
        scrolls: content.style.overflow === "auto" && content.tabIndex === 0,
        height: slide.scrollHeight, width: content.scrollWidth,
        pictures: pictures.map((picture) => {
            const { left, top, right, bottom, width } = picture.getBoundingClientRect();
            return [left, top, right, bottom, width / Number(picture.getAttribute("width"))];
        }),
    };
})"""


@pytest.fixture(scope="module")
def measured(show):
    return show[0].evaluate(MEASURE)


def test_nothing_is_asked_of_another_machine_and_nothing_fails(show, measured):
    assert (show[1].outside, show[1].errors) == ([], [])
    requests = show[0].evaluate("performance.getEntriesByType('resource').map((e) => e.name)")
    assert [r for r in requests if not r.startswith(("data:", "blob:"))] == []


def test_there_is_a_slide_for_each_part_and_none_is_empty(measured):
    parts = [c for c in lesson().cells if c.source.startswith("## ")]
    assert len(measured) > 2 * len(parts) > 20
    assert all(slide["text"].strip() or slide["pictures"] for slide in measured)


def test_nothing_is_clipped_and_nothing_too_small_to_read(measured):
    cut = [s["text"][:60] for s in measured if s["height"] > 720 and not s["scrolls"]]
    wide = [s["text"][:60] for s in measured if s["width"] > 1240]
    assert (cut, wide) == ([], [])
    assert min(slide["zoom"] for slide in measured) >= 0.6
    assert sum(slide["scrolls"] for slide in measured) <= 1, "scrolling is the exception"


def test_figures_are_on_the_slide_and_large(measured):
    boxes = [box for slide in measured for box in slide["pictures"]]
    kind = {c.id: c.metadata.get("slideshow", {}).get("slide_type") for c in lesson().cells}
    shown = [c for c in lesson().cells if kind[c.id] != "skip"]
    stored = [o for c in shown for o in c.get("outputs", []) if html(o).startswith("<img")]
    assert len(boxes) >= len(stored) > 5
    for left, top, right, bottom, scale in boxes:
        assert left >= 0 and top >= 0 and right <= 1280 and bottom <= 720
        assert scale >= 0.62, "as large as on a page, but for what is made smaller to fit"


def test_formulas_are_typeset(show):
    page = show[0]
    assert page.locator("mjx-container svg").count() > 50
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    texts = page.locator(".jp-RenderedMarkdown").all_inner_texts()
    assert not [text for text in texts if re.search(r"\$[^$]+\$|\\frac|\\sum", text)]


def test_each_quiz_question_has_a_slide(measured):
    asked = [slide["text"] for slide in measured if re.match(r"\d\. ", slide["text"].strip())]
    quiz = next(c for c in lesson().cells if "quiz.show" in c.source)
    assert len(asked) == html(quiz.outputs[0]).count("<div><p><b>") > 3


def test_keys_move_through_the_slides(show):
    page = show[0]
    page.evaluate("Reveal.slide(0, 0)")
    first = page.evaluate("Reveal.getCurrentSlide().innerText")
    page.keyboard.press("Space")
    page.wait_for_function("() => Reveal.getProgress() > 0")
    assert page.evaluate("Reveal.getCurrentSlide().innerText") != first


def lesson():
    return nbformat.read(ROOT / f"notebooks/{LESSON}.ipynb", as_version=4)


def html(output):
    return "".join(output.get("data", {}).get("text/html", ""))


# --- Without a browser -----------------------------------------------------------------------


def test_what_is_not_what_was_published_is_refused(tool, tmp_path):
    (tmp_path / tool.REVEAL.file).write_bytes(b"something else")
    with pytest.raises(RuntimeError, match=r"reveal\.js-.* is not what was published: delete it"):
        tool.fetch(tool.REVEAL, tmp_path)


def test_without_npm_it_says_what_to_do(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"no npm: install Node\.js, or put mathjax-"):
        tool.fetch(tool.MATHJAX, tmp_path)


def test_an_unknown_lesson_is_refused(tmp_path):
    command = [sys.executable, str(ROOT / "tools/slides.py"), "99_none", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "slides: there is no lesson 99_none\n")


def cell(source, outputs=(), kind="-"):
    metadata = {"slideshow": {"slide_type": kind}} if kind != "-" else {}
    outputs = [nbformat.v4.new_output("display_data", {"text/html": text}) for text in outputs]
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata)


def test_long_code_is_split_before_functions_and_loses_nothing(tool):
    method = "    def m{}(self):\n" + "        x = 1\n" * 14
    source = "class A:\n" + "\n".join(method.format(n) for n in range(3)).rstrip()
    parts = list(tool.for_an_audience(cell(source, ["out"], "fragment")))
    assert [part.source.count("def ") for part in parts] == [1, 1, 1]
    assert all(part.source.count("\n") < tool.MOST_LINES for part in parts)
    words = [word for part in parts for word in part.source.split()]
    assert words == source.split()
    assert [len(part.outputs) for part in parts] == [0, 0, 1]
    assert parts[0].metadata.slideshow.slide_type == "fragment"
    assert parts[2].metadata.slideshow.slide_type == "subslide"


def test_a_decorator_stays_with_its_function(tool):
    pieces = tool.in_pieces("x = 1\n" * 23 + "@cache\ndef f():\n" + "    y = 2\n" * 23)
    assert [piece.splitlines()[0] for piece in pieces] == ["x = 1", "@cache"]


@pytest.mark.parametrize(
    "source, hidden",
    [
        ("show(plot(x), 'alt')", True),
        ("from course_utils import quiz\n\nquiz.show('03')", True),
        ("x = 1\nshow(plot(x), 'alt')", False),
        ("print(x)", False),
        ("import torch", False),
    ],
)
def test_the_call_that_shows_a_figure_is_left_out(tool, source, hidden):
    (part,) = tool.for_an_audience(cell(source))
    assert bool(part.get("transient", {}).get("remove_source")) is hidden


def test_a_quiz_is_no_slide_of_its_own(tool):
    page = '<section aria-label="Pop quiz"><p><i>To answer, run</i></p><div>1</div></section>'
    (part,) = tool.for_an_audience(cell("quiz.show('03')", [page]))
    assert part.outputs[0].data["text/html"] == '<div class="pop-quiz"><div>1</div></div>'


def test_links_lead_to_slides_or_nowhere(tool):
    page = '<a href="04_stride.ipynb">04</a> <a href="../exercises/a.ipynb">a</a>'
    assert tool.with_links(page) == '<a href="04_stride.html">04</a> a'
