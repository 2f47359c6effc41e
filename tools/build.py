"""Build the notebooks from their percent scripts. One direction only: sources -> notebooks.

    python tools/build.py                 # build what changed
    python tools/build.py 07_lenet        # only the lesson and the exercise of this name
    python tools/build.py lessons/07_lenet    # only the lesson
    python tools/build.py --check         # change nothing; fail if a notebook is behind its source
    python tools/build.py --force         # execute again although the inputs are the same
    python tools/build.py --seeds 1 2     # build nothing; do the claims hold with other seeds?
    python tools/build.py --control       # build nothing; is each false where it must be?

`sources/lessons/NN_slug.py` becomes `notebooks/NN_slug.ipynb`, executed, with its outputs.
`sources/exercises/NN_slug.py` becomes `solutions/NN_slug/NN_slug.ipynb`, executed, and nbgrader
makes the release version `exercises/NN_slug/NN_slug.ipynb` from that (see `release.py`).

If only the text between the code changed, the stored outputs stay and nothing is executed.
Each notebook gets a set-up cell (see `first_cell.py`), a lesson its slides (`slide_types.py`).

What a source may say beyond jupytext's percent format:

* `from course_utils.models.lenet import LeNet5  # inline` is replaced by the source of LeNet5,
  so that the learner reads and edits real code while the package stays the one tested copy.
* `# %% tags=["nbval-ignore-output"]`: the output varies, and nbval does not compare it.
* `# %% slide="skip"`: the slides treat this cell otherwise than the rule says.
* `# %% control="untrained weights"`: not in the notebook; holds a claim against a case in which it
  must be false (see `claims.py`).
* In exercises, `task="id"` marks an answer cell, `check="id" points=2` a test cell,
  `written="id" points=2` a manually graded answer, and `readonly="id"` a locked cell.
* `quiz="id"`, `tier="drill" minutes=5`, `hint:`, `{tasks}`, `{exercise}`: see `scaffolding.py`.
"""

import argparse
import ast
import functools
import hashlib
import itertools
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from claims import (
    Noted,
    claims_something,
    computation,
    noted,
    page,
    with_notes,
    without_controls,
)
from first_cell import CELL_ID, add_opening, update_readme
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from release import release
from scaffolding import scaffolded
from slide_types import slide_types

from course_utils import quiz
from course_utils.startup import recommended_environment

ROOT = Path(__file__).resolve().parent.parent
QUIZ = re.compile(r"""quiz\.show\(\s*["'](\w+)["']|["'](exercises/\w+)["']""")
SHARED_BY_WIDGETS = {"shared", "standalone"}  # the modules that belong to no widget
INLINE = re.compile(r"^from (course_utils[\w.]*) import ([\w, ]+?)  # inline$", re.MULTILINE)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
TIMEOUT = 1200  # seconds a single cell may take while building
ROLES = {
    "task": {"grade": False, "solution": True, "locked": False},
    "check": {"grade": True, "solution": False, "locked": True},
    "written": {"grade": True, "solution": True, "locked": False},
    "readonly": {"grade": False, "solution": False, "locked": True},
}


def read_source(path: Path, *, controls: bool = False) -> NotebookNode:
    """Turn one percent script into a notebook without outputs.

    Args:
        path: A file in `sources/`.
        controls: Whether claims and their controls print what they come to.

    Returns:
        The notebook: inlined, with stable cell ids and normalised metadata.
    """
    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    cells = notebook.cells if controls else without_controls(notebook.cells)
    notebook.cells = list(scaffolded(cells, path))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = INLINE.sub(inlined_source, cell.source)
    if controls:
        notebook.cells = with_notes(notebook.cells)
    lesson = path.parent.name == "lessons"
    slides = list(slide_types(notebook.cells)) if lesson else ["-"] * len(notebook.cells)
    for cell, cell_id, slide in zip(notebook.cells, cell_ids(notebook.cells), slides, strict=True):
        cell.id = cell_id
        cell.metadata = cell_metadata(cell.metadata, path, slide)
    if path.parent.name in ("lessons", "exercises"):
        add_opening(notebook, learners_path(path))
    text = "\n".join(cell.source for cell in notebook.cells)
    if "course_utils.widgets import" in text:
        notebook.metadata["widgets_source"] = widgets_fingerprint(text)
    asked = {a or b for cell in notebook.cells for a, b in QUIZ.findall(cell.source)}
    if asked:
        notebook.metadata["quiz_source"] = quiz_fingerprint(tuple(sorted(asked)))
    nbformat.validate(notebook)
    return notebook


def widgets_fingerprint(text: str) -> str:
    """Return a hash of the code of the widgets that a text names: outputs contain a copy of it."""
    folder, digest = ROOT / "course_utils/widgets", hashlib.sha256()
    modules = {path.stem for path in folder.glob("*.mjs")} - SHARED_BY_WIDGETS
    left_out = {"__init__"} | {
        name for name in modules if name.title().replace("_", "") not in text
    }
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in (".py", ".mjs", ".css") and path.stem not in left_out:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


TRAINING = {"data", "models", "inspection", "training", "records",
            "runtime.py", "profiles.toml", "startup.py"}  # fmt: skip


@functools.cache
def training_fingerprint() -> str:
    """Return a hash of what the numbers of a trained net can depend on: no figures, no quizzes."""
    package, digest = ROOT / "course_utils", hashlib.sha256()
    for path in sorted(package.rglob("*")):
        counts = path.suffix in (".py", ".safetensors") or path.name == "profiles.toml"
        if counts and path.relative_to(package).parts[0] in TRAINING:
            content = path.read_bytes()
            if path.suffix == ".py":
                content = computation(content.decode()).encode()
            digest.update(content)
    return digest.hexdigest()


@functools.cache
def quiz_fingerprint(banks: tuple[str, ...]) -> str:
    """Return a hash of the lists of questions that these banks leave in a stored notebook.

    Nothing else of a quiz is stored, so nothing else makes a notebook behind: another lesson's
    bank, a right answer, the page's script.
    """
    digest = hashlib.sha256()
    for bank in banks:
        digest.update("".join(quiz.stored_form(quiz.load(bank))).encode())
    return digest.hexdigest()[:16]


def cell_ids(cells: list[NotebookNode]) -> Iterator[str]:
    """Yield an id for each cell: the slug of its section and a counter within it."""
    section, counts = "start", Counter[str]()
    for cell in cells:
        heading = re.match(r"#{1,3} (.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            section = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")[:48] or "section"
        counts[section] += 1
        yield f"{section}-{counts[section]:02d}"


def learners_path(source: Path) -> str:
    """Return where, below the root, a learner finds what a source becomes."""
    if source.parent.name == "lessons":
        return f"notebooks/{source.stem}.ipynb"
    return f"exercises/{source.stem}/{source.stem}.ipynb"


def cell_metadata(metadata: NotebookNode, path: Path, slide: str = "-") -> NotebookNode:
    """Expand the short keys into nbgrader's and the slides' metadata; keep the tags."""
    kept = {"tags": list(metadata["tags"])} if metadata.get("tags") else {}
    if slide != "-":
        kept["slideshow"] = {"slide_type": slide}
    roles = [role for role in ROLES if role in metadata]
    unknown = (
        set(metadata) - set(ROLES) - {"tags", "points", "slide", "control", "lines_to_next_cell"}
    )
    if unknown or len(roles) > 1:
        raise ValueError(f"{path.name}: a cell has the metadata {dict(metadata)}")
    if roles:
        grade_id = {"grade_id": metadata[roles[0]], "schema_version": 3, "task": False}
        kept["nbgrader"] = ROLES[roles[0]] | grade_id
        if kept["nbgrader"]["grade"]:
            kept["nbgrader"]["points"] = metadata["points"]
    return nbformat.from_dict(kept)


def inlined_source(match: re.Match[str]) -> str:
    """Return the source of the names that an `# inline` import asks for, whole lines each."""
    module = ROOT / (match[1].replace(".", "/") + ".py")
    if not module.is_file():
        module = ROOT / match[1].replace(".", "/") / "__init__.py"
    text = module.read_text(encoding="utf-8")
    found = {name: node for node in ast.parse(text).body for name in defined_names(node)}
    names = [name.strip() for name in match[2].split(",")]
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{module.relative_to(ROOT)} does not define {', '.join(missing)}")
    lines = text.splitlines()
    blocks = ["\n".join(lines[first_line(found[n]) - 1 : found[n].end_lineno]) for n in names]
    origin = f"# The same code as in {module.relative_to(ROOT).as_posix()}"
    return origin + "\n" + "\n\n\n".join(blocks)


def defined_names(node: ast.stmt) -> list[str]:
    """Return the names that a statement at module level defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def first_line(node: ast.stmt) -> int:
    """Return the line a definition starts on, its decorators included."""
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom in `folder` and strip what is not a result."""
    os.environ.setdefault("COURSE_PROFILE", "laptop")
    os.environ.update(recommended_environment())
    os.environ["OMP_NUM_THREADS"] = "1"  # more threads add in another order: other last digits
    os.environ["TQDM_DISABLE"] = "1"  # a bar that only a slow machine shows
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute()
    notebook = without_root(notebook)
    drop_widget_views(notebook)
    notebook.metadata["kernelspec"], notebook.metadata["language_info"] = KERNEL, {"name": "python"}
    return notebook


def drop_widget_views(notebook: NotebookNode) -> None:
    """Keep a widget's still image and page; its live view means nothing without its kernel."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def without_root(notebook: NotebookNode) -> NotebookNode:
    """Write `~/convnet-course` wherever an output names the folder this machine builds in."""
    here = json.dumps(str(ROOT))[1:-1]
    return nbformat.reads(nbformat.writes(notebook).replace(here, "~/convnet-course"), as_version=4)


def inputs(notebook: NotebookNode) -> list[tuple[str, ...]]:
    """Return what a notebook was built from: everything but its outputs."""
    shown = tuple(notebook.metadata.get(key, "") for key in ("widgets_source", "quiz_source"))
    return [shown] + [
        (cell.id, cell.cell_type, cell.source, json.dumps(cell.metadata, sort_keys=True))
        for cell in notebook.cells
    ]


def what_runs(notebook: NotebookNode) -> list[tuple[str, ...]]:
    """Return the part of the inputs that outputs can depend on.

    That leaves out the text, the ids, the slides, and the set-up cell, which does nothing here.
    """
    shown, *_ = inputs(notebook)
    code = (cell for cell in notebook.cells if cell.cell_type == "code" and cell.id != CELL_ID)
    return [shown] + [
        (cell.source, json.dumps(cell.metadata | {"slideshow": None}, sort_keys=True))
        for cell in code
    ]


def keep_outputs(target: Path, fresh: NotebookNode) -> bool:
    """Keep the stored outputs if only the text around the code changed; return whether it did."""
    if not target.is_file():
        return False
    stored = nbformat.read(target, as_version=4)
    if what_runs(stored) != what_runs(fresh):
        return False
    kept = iter([c for c in stored.cells if c.cell_type == "code" and c.id != CELL_ID])
    for count, cell in enumerate((c for c in fresh.cells if c.cell_type == "code"), start=1):
        cell.outputs = [] if cell.id == CELL_ID else next(kept).outputs
        for numbered in [cell, *(o for o in cell.outputs if "execution_count" in o)]:
            numbered["execution_count"] = count  # as a run from top to bottom would count
    return True


def is_current(target: Path, fresh: NotebookNode) -> bool:
    """Return whether the stored notebook has the inputs that its source gives now."""
    if not target.is_file():
        return False
    return inputs(nbformat.read(target, as_version=4)) == inputs(fresh)


def targets(slugs: list[str]) -> Iterator[tuple[Path, Path]]:
    """Yield (source, built notebook) of every lesson and exercise, or of `slugs` only.

    A slug is a name such as 07_lenet, or with its folder, lessons/07_lenet.
    """
    sources = sorted(ROOT.glob("sources/*/[0-9]*.py"))
    called = {source: {source.stem, f"{source.parent.name}/{source.stem}"} for source in sources}
    unknown = set(slugs).difference(*called.values())
    if unknown:
        sys.exit(f"There is no source called {', '.join(sorted(unknown))} in sources/.")
    for source in sources:
        if slugs and called[source].isdisjoint(slugs):
            continue
        slug, lesson = source.stem, source.parent.name == "lessons"
        folder = ROOT / ("notebooks" if lesson else f"solutions/{slug}")
        yield source, folder / f"{slug}.ipynb"


def build_one(source: Path, target: Path, *, force: bool, check: bool) -> bool:
    """Build one notebook if it is behind its source. Return whether it was behind."""
    notebook = read_source(source)
    if is_current(target, notebook) and not force:
        return False
    if not check:
        target.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        only_text = not force and keep_outputs(target, notebook)
        nbformat.write(notebook if only_text else execute(notebook, target.parent), target)
        how = "text only, outputs kept" if only_text else f"{time.perf_counter() - start:.0f} s"
        print(f"built {target.name} ({how})")
    return True


def try_seeds(found: list[tuple[Path, Path]], offsets: list[int]) -> None:
    """Execute notebooks with other random numbers, build nothing, and say which claims fail."""
    failed = []
    for offset in offsets:
        os.environ["COURSE_SEED_OFFSET"] = str(offset)
        for source, target in found:
            try:
                execute(read_source(source), target.parent)
                print(f"{source.stem}, seeds + {offset}: every claim holds", flush=True)
            except CellExecutionError as error:
                print(f"{source.stem}, seeds + {offset}: {error.evalue}", flush=True)
                failed.append(source.stem)
    if failed:
        sys.exit(f"Claims failed in {', '.join(failed)}.")


def try_controls(sources: list[Path], offsets: list[int]) -> dict[str, dict[int, list[Noted]]]:
    """Execute lessons with their controls; say which claims fail, and which controls do not.

    A run that was tried before, with the same computation and training, is read from `.records/`.
    A lesson without a claim about a trained model is not run.

    Returns:
        Lesson -> offset -> what was noted.
    """
    runs: dict[str, dict[int, list[Noted]]] = {source.stem: {} for source in sources}
    wrong = 0
    for offset, source in itertools.product(offsets, sources):
        os.environ["COURSE_SEED_OFFSET"] = str(offset)
        notebook = read_source(source, controls=True)
        if not claims_something(notebook.cells):
            continue
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        inputs = "\n".join(map(computation, code)) + training_fingerprint()
        digest = hashlib.sha256(inputs.encode()).hexdigest()[:12]
        kept = ROOT / ".records" / "claims" / f"{source.stem}-{offset}-{digest}.json"
        if not kept.is_file():
            done = noted(execute(notebook, ROOT / "notebooks"))
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(done))
        notes = [Noted(*each) for each in json.loads(kept.read_text())]
        runs[source.stem][offset] = notes
        bad = [each for each in notes if each.is_wrong]
        wrong += len(bad)
        print(f"{source.stem}, seeds + {offset}: {len(notes)} tried, {len(bad)} wrong", flush=True)
        for each in bad:
            where = f"is also true on its control, {each.control}" if each.control else "is false"
            print(f"    {where}: {each.sentence} {each.values}", flush=True)
    if wrong:
        sys.exit(f"{wrong} claims or controls are wrong.")
    return runs


def orphans() -> list[str]:
    """Return the built notebooks that no source makes any more."""
    expected = {target for _, target in targets([])}
    built = {*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")}
    return [str(path.relative_to(ROOT)) for path in sorted(built - expected)]


def main() -> None:
    """Build, or check, every notebook; exit with 1 if a check finds one behind its source."""
    parser = argparse.ArgumentParser(description="Build the notebooks from sources/.")
    parser.add_argument("slugs", nargs="*", help="07_lenet or lessons/07_lenet; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if behind")
    parser.add_argument("--force", action="store_true", help="execute even if nothing changed")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="seeds to try, see above")
    parser.add_argument("--control", action="store_true", help="try claims on their controls, too")
    args = parser.parse_args()

    found = list(targets(args.slugs))
    if args.control:
        lessons = [source for source, _ in found if source.parent.name == "lessons"]
        runs = try_controls(lessons, sorted({0, *(args.seeds or [])}))
        if not args.slugs:
            (ROOT / "docs" / "claims.md").write_text(page(runs), encoding="utf-8")
        return
    if args.seeds:
        try_seeds(found, args.seeds)
        return
    behind = [
        str(target.relative_to(ROOT))
        for source, target in found
        if build_one(source, target, force=args.force, check=args.check)
    ]
    exercises = [target.stem for _, target in found if target.parent.parent.name == "solutions"]
    behind += release(exercises, check=args.check) + orphans() + update_readme(check=args.check)
    if args.check and behind:
        sys.exit("Behind its source, run `make notebooks`: " + ", ".join(behind))
    print("All notebooks agree with their sources." if not behind else f"{len(behind)} built.")


if __name__ == "__main__":
    main()
