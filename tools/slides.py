"""Make slides of the lessons: one self-contained page each.

    python tools/slides.py                 # all lessons, to build/slides
    python tools/slides.py 07_lenet        # only these

nbconvert makes the slides, from the slide types that the builder wrote into the notebooks.
reveal.js, which shows them, and MathJax, which sets their formulas, come from npm once, at exact
versions, and are written into each page: a presentation needs no network.
"""

import argparse
import ast
import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode

from course_utils.arguments import as_path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "tools/slides"
MOST_LINES = 24  # of code on a slide, if it can be split at all


@dataclass(frozen=True)
class Package:
    """An npm package at one version, with the checksum that npm lists for it."""

    name: str
    version: str
    sha512: str

    @property
    def file(self) -> str:
        """What `npm pack` calls the archive."""
        return f"{self.name}-{self.version}.tgz"


REVEAL = Package(
    "reveal.js",
    "5.2.1",
    "r7//6mIM5p34hFiDMvYfXgyjXqGRta+/psd9YtytsgRlrpRzFv4RbH76TXd2qD+7ZPZEbpBDhdRhJaFgfQ7zNQ==",
)
MATHJAX = Package(
    "mathjax",
    "3.2.2",
    "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
)


def fetch(package: Package, folder: Path) -> Path:
    """Return the archive of a package, downloaded if need be, with its checksum verified.

    Raises:
        RuntimeError: It cannot be downloaded, or is not what was published.
    """
    archive = folder / package.file
    if not archive.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"no npm: install Node.js, or put {package.file} into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        wanted = f"{package.name}@{package.version}"
        command = [npm, "pack", wanted, "--pack-destination", str(folder), "--ignore-scripts"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not archive.is_file():
            raise RuntimeError(f"npm could not fetch {wanted}: is there a network?")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package.sha512:
        raise RuntimeError(f"{archive} is not what was published: delete it, and try again")
    return archive


def text_of(archive: Path, name: str) -> str:
    """Return a file of a package as text for a script or style element."""
    with tarfile.open(archive) as package:
        source = package.extractfile(f"package/{name}")
        assert source is not None
        text = source.read().decode()
    return text.replace("</script", "<\\/script")


def assets(folder: Path) -> dict[str, str]:
    """Return what a page contains besides its slides."""
    reveal, mathjax = fetch(REVEAL, folder), fetch(MATHJAX, folder)
    return {
        "reveal": text_of(reveal, "dist/reveal.js"),
        "reveal_css": text_of(reveal, "dist/reset.css") + text_of(reveal, "dist/reveal.css"),
        "mathjax": text_of(mathjax, "es5/tex-svg.js"),
        "course_css": (TEMPLATE / "slides.css").read_text("utf-8"),
        "paginate": (TEMPLATE / "paginate.js").read_text("utf-8"),
    }


def slides(notebook: Path, parts: dict[str, str]) -> str:
    """Return a lesson as a page of slides.

    Args:
        notebook: A built lesson.
        parts: What `assets` returns.
    """
    book = nbformat.read(notebook, as_version=4)
    text = "".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    title = re.match("# (.+)", book.cells[0].source)
    used = parts | {"title": title[1] if title else notebook.stem}
    if "$" not in text:  # MathJax is two megabytes
        used["mathjax"] = ""
    book.cells = [part for cell in book.cells for part in for_an_audience(cell)]
    exporter = SlidesExporter(template_name="slides", extra_template_basedirs=[str(ROOT / "tools")])
    page, _ = exporter.from_notebook_node(book, resources={"slides": used})
    return with_links(page)


def for_an_audience(cell: NotebookNode) -> Iterator[NotebookNode]:
    """Yield a cell as it is shown: figures without the call that shows them, long code in pieces.

    Args:
        cell: A cell of a lesson; changed.
    """
    pieces = in_pieces(cell.source) if cell.cell_type == "code" else []
    for number, piece in enumerate(pieces[:-1]):
        part = nbformat.v4.new_code_cell(piece, metadata=cell.metadata, id=f"{cell.id}-{number}")
        yield part
        cell.metadata = nbformat.from_dict({"slideshow": {"slide_type": "subslide"}})
    if pieces:
        cell.source = pieces[-1]
        if len(pieces) == 1 and only_shows(cell.source):
            cell.transient = {"remove_source": True}
        for output in cell.outputs:
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = without_sections(output.data["text/html"])
    yield cell


def without_sections(html: str) -> str:
    """Return a pop quiz in the form that reveal.js shows, for which a section is a slide."""
    html = re.sub(r'<section aria-label="Pop quiz"><p>.*?</p>', '<div class="pop-quiz">', html)
    return html.replace("<section", "<div").replace("</section>", "</div>")


def in_pieces(source: str) -> list[str]:
    """Split code before its functions and methods, so that each piece fits on a slide."""
    blocks: list[str] = []
    for block in re.split(r"\n(?=\s*(?:@|(?:class|def)\s))", source):
        if blocks and blocks[-1].rpartition("\n")[2].lstrip().startswith("@"):
            blocks[-1] += f"\n{block}"  # a decorator stays with its function
        else:
            blocks.append(block)
    pieces = blocks[:1]
    for block in blocks[1:]:
        joined = f"{pieces[-1]}\n{block}"
        fits = joined.count("\n") < MOST_LINES
        pieces[-1:] = [joined] if fits else [pieces[-1], block.lstrip("\n")]
    return [piece.rstrip() for piece in pieces]


def only_shows(source: str) -> bool:
    """Return whether code only imports, and displays a figure or a quiz."""
    shown = [s for s in ast.parse(source).body if not isinstance(s, ast.Import | ast.ImportFrom)]
    call = shown[0].value if len(shown) == 1 and isinstance(shown[0], ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func) in ("show", "quiz.show")


def with_links(page: str) -> str:
    """Let links to lessons lead to their slides; keep only the words of all others."""
    page = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', page)
    return re.sub(r'<a href="\.\./[^"]*">(.*?)</a>', r"\1", page)


def main() -> None:
    """Write the slides; exit with 1 and a sentence if they cannot be made."""
    parser = argparse.ArgumentParser(description="Make slides of the lessons.")
    parser.add_argument("slugs", nargs="*", help="for example 07_lenet; default: all")
    parser.add_argument("--out", type=as_path, default=ROOT / "build/slides", metavar="FOLDER")
    parser.add_argument("--assets", type=as_path, default=ROOT / "build/npm", metavar="FOLDER")
    args = parser.parse_args()
    lessons = {path.stem: path for path in sorted(ROOT.glob("notebooks/*.ipynb"))}
    if unknown := set(args.slugs) - lessons.keys():
        sys.exit(f"slides: there is no lesson {', '.join(sorted(unknown))}")
    try:
        parts = assets(args.assets)
    except (RuntimeError, OSError) as error:
        sys.exit(f"slides: {error}")
    args.out.mkdir(parents=True, exist_ok=True)
    for slug in args.slugs or lessons:
        page = args.out / f"{slug}.html"
        page.write_text(slides(lessons[slug], parts), "utf-8")
        print(f"{page}: {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
