"""Make the release version of the exercises with nbgrader: no answers, no hidden checks.

    python tools/release.py                 # all of them; `make notebooks` does this
    python tools/release.py 07_lenet        # only these slugs
    python tools/release.py --check         # change nothing; fail if a release is stale

`solutions/NN_slug/NN_slug.ipynb` becomes `exercises/NN_slug/NN_slug.ipynb`. nbgrader works in a
temporary folder and gradebook, with the teacher's settings (`classroom/nbgrader_config.py`). The
same solution gives the same bytes.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from convnet_grader import folder

ROOT = Path(__file__).resolve().parent.parent


def release(slugs: Sequence[str], *, check: bool, root: Path = ROOT) -> list[str]:
    """Release exercises whose solutions are built, and write what changed.

    Args:
        slugs: Names such as `07_lenet`.
        check: Write nothing.
        root: Where `solutions/` and `exercises/` are.

    Returns:
        Paths under `root` of the exercises that differ (or did, before they were written),
        and of those that no longer have a solution.
    """
    changed = [str(path.relative_to(root)) for path in _orphans(root)]
    built = [slug for slug in slugs if (root / _notebook("solutions", slug)).is_file()]
    for slug, fresh in zip(built, release_bytes(built, root), strict=True):
        target = root / _notebook("exercises", slug)
        if target.is_file() and target.read_bytes() == fresh:
            continue
        changed.append(str(target.relative_to(root)))
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(fresh)
    return changed


def release_bytes(slugs: Sequence[str], root: Path = ROOT) -> list[bytes]:
    """Return the release version of each exercise, and leave nothing behind.

    Args:
        slugs: Names such as `07_lenet`.
        root: Where `solutions/` is.

    Raises:
        RuntimeError: `nbgrader` refuses a notebook; the message has its log.
    """
    if not slugs:
        return []
    with TemporaryDirectory(prefix="release-", ignore_cleanup_errors=True) as name:
        course = Path(name)
        for slug in slugs:
            shutil.copytree(root / "solutions" / slug, course / "solutions" / slug)
        generate(slugs, course)
        return [(course / _notebook("exercises", slug)).read_bytes() for slug in slugs]


def generate(slugs: Sequence[str], course: Path) -> None:
    """Release with the teacher's settings, in a course folder that has `solutions/`.

    Args:
        slugs: Names such as `07_lenet`.
        course: Gets `exercises/` and a gradebook.

    Raises:
        RuntimeError: `nbgrader` refuses a notebook; the message has its log.
    """
    folder.generate(slugs, folder.course_config(course))


def _notebook(kind: str, slug: str) -> Path:
    """Return where a notebook of an exercise is; kind is `solutions` or `exercises`."""
    return Path(kind) / slug / f"{slug}.ipynb"


def _orphans(root: Path) -> list[Path]:
    """Return the exercises that have no solution."""
    exercises = sorted(root.glob("exercises/*/*.ipynb"))
    return [path for path in exercises if not (root / _notebook("solutions", path.stem)).is_file()]


def main() -> None:
    """Release, or check, exercises; exit with 1 if a check finds one stale."""
    parser = argparse.ArgumentParser(description="Make exercises/ from solutions/, by nbgrader.")
    parser.add_argument("slugs", nargs="*", help="for example 07_lenet; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    args = parser.parse_args()

    slugs = args.slugs or sorted(path.parent.name for path in ROOT.glob("solutions/*/*.ipynb"))
    changed = release(slugs, check=args.check)
    if args.check and changed:
        sys.exit("Behind its solution, run `make notebooks`: " + ", ".join(changed))
    print(f"{len(slugs)} exercises, {len(changed)} of them changed.")


if __name__ == "__main__":
    main()
