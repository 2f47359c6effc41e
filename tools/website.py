"""Build the course's site: lessons, exercises, guides, the package and the ledger, as static pages.

    python tools/website.py                  # to build/site/html; open index.html
    python tools/website.py --pdf            # each lesson as a PDF, too, in build/site/pdf
    python tools/website.py --pdf 07_lenet   # only this one

Sphinx builds it from the notebooks as they are stored; nothing is executed. All scripts, styles and
formulas' glyphs come from installed packages, and the pages load nothing from another machine. The
same inputs give the same bytes.
"""

import argparse
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import website_pages
import website_quiz
from first_cell import CELL_ID
from nbformat import NotebookNode
from sphinx.cmd.build import build_main

from course_utils.arguments import as_path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "tools/website"
NAVIGATION = {
    "Lessons": ["notebooks/*.ipynb"],
    "Exercises": ["exercises/*/*.ipynb"],
    "For teachers": ["classroom/README.md", "classroom/workshop.md", "classroom/hub.md"],
    "Reference": [
        "api/index.rst",
        "ledger.md",
        "docs/*.md",
        "benchmarks/results.md",
        "course_utils/quiz/README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ],
}
"""The site's parts, and the pages of each: paths below the root, or of pages that are written."""
DRAWERS = {"sidebar-drawer": "The site", "toc-drawer": "On this page"}
COPIED = ("LICENSE", "docs/*.png")


# --- Pages ---------------------------------------------------------------------------------------


def prepare(source: Path) -> None:
    """Write the pages for Sphinx, under the paths that they have in the course.

    Args:
        source: An empty folder.
    """
    modules = website_pages.modules()
    written = {f"api/{one.__name__}.rst": website_pages.api_page(one) for one in modules}
    written["api/index.rst"] = website_pages.api_index(modules)
    written["ledger.md"] = website_pages.ledger_page()
    written["names.json"] = json.dumps(website_pages.names())
    for path in _matching([*COPIED, *(p for pages in NAVIGATION.values() for p in pages)]):
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".ipynb":
            original = source / "originals" / path
            original.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, original)
            nbformat.write(page_of(nbformat.read(original, as_version=4), path), target)
        elif target.suffix == ".md":
            text = (ROOT / path).read_text("utf-8")
            target.write_text(text.replace("](../README.md", "](../index.md"), "utf-8")
        else:
            shutil.copy(ROOT / path, target)
    for name, text in written.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text, "utf-8")
    front = (ROOT / "README.md").read_text("utf-8")
    (source / "index.md").write_text(front + "".join(contents(source)), "utf-8")


def _matching(patterns: list[str]) -> Iterator[str]:
    """Yield the course's files that patterns match, by their paths below the root."""
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix()


def contents(source: Path) -> Iterator[str]:
    """Yield the site's tables of contents, as Markdown for the front page."""
    for caption, patterns in NAVIGATION.items():
        pages = [path for pattern in patterns for path in sorted(source.glob(pattern))]
        listed = "\n".join(path.relative_to(source).as_posix() for path in pages)
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def page_of(notebook: NotebookNode, path: str) -> NotebookNode:
    """Return a notebook as a page: without its set-up cell, with a quiz that marks, to download.

    Args:
        notebook: As it is stored; changed.
        path: Where it is, below the root.
    """
    notebook.cells = [cell for cell in notebook.cells if cell.id != CELL_ID]
    up = "../" * path.count("/")
    download = f"{{download}}`Download this notebook <{up}originals/{path}>`"
    notebook.cells[0].source += f"\n\n{download}"
    inside = False  # a further part with a title of its own
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            inside = inside or cell.source.startswith("# ")
            cell.source = lowered(cell.source) if inside else cell.source
    for cell in notebook.cells:
        asked = re.search(r'quiz\.show\("(\w+)"\)', cell.source)
        if cell.cell_type == "code" and asked:
            for output in cell.outputs:
                still = output.data["text/html"]
                output.data["text/html"] = website_quiz.living(asked[1], still)
    return notebook


def lowered(text: str) -> str:
    """Return Markdown with each heading one level lower: a page has one title."""
    pieces = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    pieces[::2] = [re.sub(r"^(?=#{1,5} )", "#", piece, flags=re.MULTILINE) for piece in pieces[::2]]
    return "".join(pieces)


# --- Sphinx --------------------------------------------------------------------------------------


def mathjax() -> Path:
    """Return MathJax as one file that needs no other, its glyphs included."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    assert package is not None and package.submodule_search_locations, "see pyproject.toml"
    return Path(package.submodule_search_locations[0]) / "static/mathjax/tex-svg.js"


def build(out: Path) -> None:
    """Build the site.

    Args:
        out: The folder of its pages; what is in it is replaced.

    Raises:
        RuntimeError: Sphinx warns or fails; it has printed why.
    """
    with TemporaryDirectory(prefix="site-") as name:
        source, made = Path(name, "source"), Path(name, "made")
        source.mkdir()
        prepare(source)
        options = ["-b", "html", "-q", "-W", "--keep-going", "-c", str(SETTINGS)]
        if build_main([*options, "-d", f"{name}/doctrees", str(source), str(made)]):
            raise RuntimeError("Sphinx is not content, see above")
        finish(made)
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, out)


def finish(made: Path) -> None:
    """Add to Sphinx's pages what belongs to no page, and take away what nobody reads."""
    static = made / "_static"
    shutil.copy(mathjax(), static)
    marker = (SETTINGS / "quiz.js").read_text("utf-8")
    (static / "quiz.js").write_text(website_quiz.script(marker), "utf-8")
    (static / "quiz.css").write_text(website_quiz.style(), "utf-8")
    (made / ".buildinfo").unlink()
    shutil.rmtree(made / "_sources", ignore_errors=True)
    for page in made.rglob("*.html"):
        text = page.read_text("utf-8")
        if page.name == "search.html":
            text = text.replace(
                '<div id="search-results">', '<h1>Search</h1>\n<div id="search-results">'
            )
        for drawer, what in DRAWERS.items():  # without a name in the theme
            text = text.replace(
                f'<aside class="{drawer}', f'<aside aria-label="{what}" class="{drawer}'
            )
        page.write_text(text, "utf-8")


# --- Paper ---------------------------------------------------------------------------------------

READY = """async () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
    await window.MathJax?.startup?.promise;
    await Promise.all([...document.images].map((image) => image.decode()));
}"""


def print_lessons(site: Path, slugs: list[str], out: Path) -> Iterator[Path]:
    """Print lessons by Chromium, and yield the path of each PDF.

    Args:
        site: A built site.
        slugs: Which lessons.
        out: The folder of the PDFs.
    """
    from playwright.sync_api import sync_playwright

    system = shutil.which("chromium") or shutil.which("google-chrome")
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system)
        page = browser.new_page()
        page.set_default_timeout(120_000)  # a long lesson, a slow machine
        for slug in slugs:
            page.goto((site / f"notebooks/{slug}.html").as_uri())
            page.evaluate(READY)
            page.pdf(path=out / f"{slug}.pdf", format="A4", prefer_css_page_size=True, outline=True,
                     tagged=True)  # fmt: skip
            yield out / f"{slug}.pdf"
        browser.close()


def main() -> None:
    """Build the site, and print it; exit with 1 and a sentence if that fails."""
    parser = argparse.ArgumentParser(description="Build the course's site.")
    parser.add_argument("--out", type=as_path, default=ROOT / "build/site", metavar="FOLDER")
    parser.add_argument("--pdf", nargs="*", metavar="SLUG", help="print lessons; default: all")
    args = parser.parse_args()
    lessons = [path.stem for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    if unknown := set(args.pdf or ()) - set(lessons):
        sys.exit(f"website: there is no lesson {', '.join(sorted(unknown))}")
    site = args.out / "html"
    try:
        build(site)
    except (RuntimeError, OSError) as error:
        sys.exit(f"website: {error}")
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"{site / 'index.html'}: {size / 1e6:.1f} MB in all")
    if args.pdf is not None:
        for path in print_lessons(site, args.pdf or lessons, args.out / "pdf"):
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
