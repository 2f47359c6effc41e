"""Start a user's server on the hub, as that user: private files, and the lessons in their home.

The hub runs it in place of ``jupyterhub-singleuser``, with the same arguments. It works with the
user's rights only: whatever somebody has put into their home, it cannot harm anybody else.
"""

import os
import shutil
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def keep_private(home: Path) -> None:
    """Close a home to others; what is made from now on is private from the start."""
    os.umask(0o077)
    found = home.stat()
    if found.st_mode & 0o077 and found.st_uid == os.getuid():  # a volume's owner is somebody else
        home.chmod(0o700)


def bring_lessons(notebooks: Path, target: Path) -> None:
    """Copy the lessons that are not there yet; what a learner has changed stays."""
    target.mkdir(exist_ok=True)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        copy = target / notebook.name
        if not copy.exists():
            shutil.copyfile(notebook, copy)


def main() -> None:
    """Prepare the home, then become the server."""
    home = Path.home()
    keep_private(home)
    try:
        bring_lessons(NOTEBOOKS, home / "lessons")
    except OSError as error:  # a full disk, a file where the folder should be: still let them in
        print(f"the lessons could not be copied: {error}", file=sys.stderr)
    os.chdir(home)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", *sys.argv[1:]])


if __name__ == "__main__":
    main()
