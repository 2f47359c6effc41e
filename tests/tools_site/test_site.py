"""The course's site: whole, the same each time, alive without a network, readable by everybody."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser_pages import watched
from course_lab import LESSONS
from playwright.sync_api import Browser, Page, expect
from scripts import load_script
from sphinx.util.inventory import InventoryFile

from course_utils import quiz
from course_utils.quiz.marking import right_answer, wrong_answers

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("site")
LESSON = "04_stride_padding_pooling"  # formulas, figures, tables, three widgets, a quiz
PAGES = [
    "index", "search", "ledger", "CHANGELOG", "classroom/workshop", "benchmarks/results",
    "api/course_utils.models.lenet", "exercises/07_lenet/07_lenet",
    "notebooks/05_channels_and_parameters", f"notebooks/{LESSON}",
]  # fmt: skip
LARGEST = 2.5e6  # bytes of a lesson's page


def made(out: Path, *words: str) -> Path:
    """Run the command, and say how long it took."""
    start = time.monotonic()
    command = [sys.executable, str(ROOT / "tools/website.py"), "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"the site took {time.monotonic() - start:.0f} s: {done.stdout}")
    return out


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site, as the command builds it."""
    return made(tmp_path_factory.mktemp("site")) / "html"


@pytest.fixture(scope="module")
def tool():
    """The command's module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        yield load_script("tools/website.py")


@pytest.fixture(scope="session")
def texts(site) -> dict[Path, str]:
    """The text of every page."""
    return {path: path.read_text("utf-8") for path in sorted(site.rglob("*.html"))}


# --- Without a browser ---------------------------------------------------------------------------


def test_every_internal_link_leads_somewhere(site, texts):
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    broken = []
    for path, text in texts.items():
        for link in set(re.findall(r'<a\b[^>]*?\shref="([^"]*)"', text)):
            if re.match(r"https?:|mailto:", link):
                continue
            file, _, anchor = unquote(unescape(link)).partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.is_file() or (anchor and anchor not in ids.get(target, set())):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert len(ids) > 150
    assert broken == []


def test_no_page_loads_anything_from_elsewhere(site, texts):
    loads = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)="(https?:)?//""")
    assert [path.name for path, text in texts.items() if loads.search(text)] == []
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert styles and not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", "".join(styles))


def test_a_lesson_s_page_is_small_enough_and_its_figures_have_alt_texts(site):
    for name in LESSONS:
        page = site / f"notebooks/{name}.html"
        assert page.stat().st_size <= LARGEST, page.name
        images = re.findall(r"<img\b[^>]*>", page.read_text("utf-8"))
        assert [image[:80] for image in images if not re.search(r'\balt="[^"]{15,}', image)] == []


def test_an_exercise_has_no_answer(site):
    for page in site.glob("exercises/*/*.html"):
        assert "YOUR ANSWER HERE" in page.read_text("utf-8"), page.name
    text = "".join(page.read_text("utf-8") for page in site.glob("exercises/*/*.html"))
    assert text and "BEGIN SOLUTION" not in text and "HIDDEN TESTS" not in text
    assert not list(site.rglob("*answers*")) and not list(site.rglob("*solutions*"))


def test_every_public_name_is_documented(site, tool):
    pages = tool.website_pages
    with (site / "objects.inv").open("rb") as file:
        found = InventoryFile.load(file, "", lambda base, uri: uri)
    known = {name for kind, names in found.items() if kind.startswith("py:") for name in names}
    wanted = {home for module in pages.modules() for home in pages.homes(module).values()}
    assert len(wanted) > 300
    assert wanted - known == set()


def test_a_name_in_a_lesson_leads_to_the_package(texts, site):
    place = "../api/course_utils.models.alexnet.html#course_utils.models.alexnet.alexnet_small"
    assert f'href="{place}"' in texts[site / "notebooks/08_alexnet.html"]


def test_a_page_has_one_title_and_headings_in_code_stay(texts, site, tool):
    assert texts[site / "notebooks/15_showdown.html"].count("<h1") == 1
    assert tool.lowered("# a\n```\n# b\n```\n## c\n#d") == "## a\n```\n# b\n```\n### c\n#d"


def test_the_widget_s_note_about_keeping_is_put_right(tool):
    quizzes = tool.website_quiz
    assert quizzes.KEPT not in quizzes.script("") and quizzes.NOT_KEPT in quizzes.script("")


def pages_of(pdf: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))


def test_a_second_build_gives_the_same_bytes_and_a_lesson_is_printed(site, chromium, tmp_path):
    again = made(tmp_path, "--pdf", LESSON)
    files = [path.relative_to(site) for path in sorted(site.rglob("*")) if path.is_file()]
    assert files == [
        p.relative_to(again / "html") for p in sorted((again / "html").rglob("*")) if p.is_file()
    ]
    assert [f for f in files if (site / f).read_bytes() != (again / "html" / f).read_bytes()] == []
    printed = again / f"pdf/{LESSON}.pdf"
    figures = (site / f"notebooks/{LESSON}.html").read_text("utf-8").count("data:image/webp")
    assert pages_of(printed) > 8
    assert printed.read_bytes().count(b"/Subtype /Image") >= figures / 2 > 5


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_page(site, browser: Browser) -> Iterator:
    """Open a page of the site in Chromium, cut off; afterwards nothing must have gone wrong."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    notes = watched(context)
    page = context.new_page()
    page.set_default_timeout(120_000)

    def show(name: str) -> Page:
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate("async () => { await window.MathJax?.startup?.promise; }")
        return page

    yield show
    context.close()
    assert (notes.outside, notes.errors) == ([], [])


AXE = """async () => (await axe.run(document, { resultTypes: ["violations"], preload: false }))
    .violations.flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${n.html.slice(0, 200)}`))"""


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_a_phone_needs_no_sideways_scrolling(open_page, name, axe_source):
    page = open_page(name)
    dark = PAGES.index(name) % 2
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.evaluate(axe_source)
    assert page.evaluate(AXE) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})


def test_formulas_are_typeset_and_the_theme_reaches_the_widgets(open_page):
    page = open_page(f"notebooks/{LESSON}")
    assert page.locator("mjx-container svg").count() > 20
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        widget = page.locator(".cw").first
        colours.append(widget.evaluate("node => getComputedStyle(node).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(21, 25, 30)"]


def test_keys_move_a_widget(open_page):
    page = open_page(f"notebooks/{LESSON}")
    widget = page.get_by_role("group", name="Convolution, one window at a time").first
    before = widget.locator(".cw-readout").inner_text()
    widget.locator("input[type=range]:enabled").first.focus()
    page.keyboard.press("ArrowRight")
    expect(widget.locator(".cw-readout")).not_to_have_text(before)


def test_a_quiz_marks_at_once_and_keeps_nothing(open_page):
    page = open_page(f"notebooks/{LESSON}")
    bank = quiz.load(LESSON)
    item = next(item for item in bank.items if item.kind == "number")
    question = quiz.pose(bank, item, "lesson")
    asked = page.locator(f"[data-item='{item.id}']")
    slip = next(iter(question.slips.values()))
    for typed, mark in ((slip, "✗"), (right_answer(question), "✓")):
        asked.get_by_role("textbox").fill(str(typed))
        page.keyboard.press("Enter")
        expect(asked.locator(".cq-feedback")).to_contain_text(mark)
    expect(page.locator(".cq-progress")).to_contain_text(f"1 of {len(bank.items)} right")
    assert not page.evaluate(
        "localStorage.length && Object.keys(localStorage).some(k => /quiz/.test(k))"
    )
    page = open_page(f"notebooks/{LESSON}")
    expect(page.locator(".cq-progress")).to_contain_text(f"0 of {len(bank.items)} right")


def test_a_plain_server_is_enough(site, browser: Browser):
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context()
        notes = watched(context)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/notebooks/{LESSON}.html")
        page.wait_for_function("document.querySelectorAll('mjx-container svg').length > 20")
        expect(page.locator(".cw-readout").first).not_to_be_empty()
        page.goto(f"http://127.0.0.1:{server.server_port}/search.html?q=receptive")
        expect(page.locator("#search-results li").first).to_be_visible(timeout=60_000)
        context.close()
        server.shutdown()
    assert (notes.outside, notes.errors) == ([], [])


def test_a_table_on_paper_begins_below_its_heading(open_page):
    page = open_page("ledger")
    page.emulate_media(media="print")
    table = page.locator("table").first
    assert table.evaluate("table => getComputedStyle(table).breakInside") == "auto"
    page.emulate_media(media="screen")


def test_the_search_finds_from_files(open_page):
    page = open_page("search")
    page.goto(page.url + "?q=receptive")
    expect(page.locator("#search-results li").first).to_be_visible(timeout=60_000)


def test_the_ledger_is_filtered(open_page):
    page = open_page("ledger")
    page.get_by_label("Show only what contains").fill("AlexNet dropout")
    rows = page.locator("tbody tr:visible").all_inner_texts()
    assert rows and all("dropout" in row.lower() for row in rows)


# --- Marking without Python ----------------------------------------------------------------------

TYPED = ["", "abc", "1/0", "1,250", "12 x", "(3, 4)", "7 x 7", "1e-3", "61.706,5", "−4", "1_000"]


def test_the_page_marks_as_python_does(browser: Browser, tool):
    tool = tool.website_quiz
    page = browser.new_page()
    for name in filter(lambda name: "/" not in name, quiz.names()):
        page.set_content(tool.living(name, "").split("<script")[0])
        page.evaluate(tool.script((ROOT / "tools/website/quiz.js").read_text("utf-8")))
        state = tool.PageState(quiz.load(name))
        for item in state.bank.items:
            for given in answers(state.question(item.id)):
                assert page.evaluate(REPLY, [item.id, given]) == reply(state, item.id, given), given
    page.close()


REPLY = """([id, given]) => {
    try {
        const quiz = document.querySelector("[data-quiz]").courseQuiz;
        const { right, feedback } = quiz.reply(id, given);
        return [right, /comes from no slip/.test(feedback) ? "no slip" : feedback];
    } catch (problem) { return [false, problem.message]; }
}"""


def answers(question):
    """Return what a learner could answer: as typed, or by positions."""
    texts = [option.text for option in question.options]
    given = [right_answer(question), *(wrong for _, wrong in wrong_answers(question))]
    if question.item.kind == "multiple":
        return [[texts.index(text) for text in chosen] for chosen in given] + [[]]
    if texts:
        return [texts.index(text) for text in given]
    forms = [str(value) for value in given] + [
        f"{value:,}" for value in given if type(value) is int
    ]
    return forms + [f"{form} {question.item.unit}" for form in forms[:1]] + TYPED


def reply(state, item_id, given):
    """Return what Python says, in the form of `REPLY`."""
    state.restart()
    state.answer(item_id, given)
    told = state.view()["progress"][item_id]
    feedback = told["feedback"]
    if not state.entries[item_id].tries:
        feedback = state._forms[item_id]
    return [told["right"], "no slip" if "comes from no slip" in feedback else feedback]
