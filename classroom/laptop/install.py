"""Install the course from this folder, without a network, and open it.

    python install.py             # installs on the first call, then opens the course
    python install.py --no-lab    # installs only

Windows: ``py -3.12 install.py``, with the number that START-HERE.txt gives. Everything goes into
the folder ``.venv`` beside this file; to get rid of the course, delete the folder.
"""

# Runs on whatever Python the laptop has, if only to say that it is the wrong one: no new syntax.

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
INSTALLED = VENV / "installed"
UNPACKED = 2.6  # installed packages take so many times the space of their wheels


def check_machine(facts):
    """Refuse a laptop that the wheels are not for."""
    wanted = "Python {python} on {system} ({machine})".format(**facts)
    number = "{}.{}".format(*sys.version_info[:2])
    found = (number, platform.system(), platform.machine())
    if found != (facts["python"], facts["system"], facts["machine"]):
        here = "Python {} on {} ({})".format(*found)
        sys.exit(f"This copy of the course is for {wanted}, and this is {here}.")


def check_files():
    """Refuse a copy that is incomplete or damaged."""
    for line in (HERE / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        if name.startswith("course/"):  # a notebook that was worked on is no damage
            continue
        if not (HERE / name).is_file() or checksum(HERE / name) != digest:
            sys.exit(f"{name} is missing or damaged: copy the archive again.")


def checksum(path):
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        for block in iter(lambda: source.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()


def check_space(facts):
    """Refuse a disk that is too full."""
    needed, free = UNPACKED * facts["wheels_bytes"], shutil.disk_usage(str(HERE)).free
    if free < needed:
        text = "The course takes {:.1f} GB, and the disk of {} has {:.1f} GB left."
        sys.exit(text.format(needed / 1e9, HERE, free / 1e9))


def python_of_venv():
    """Return the Python of the course."""
    return VENV / ("Scripts/python.exe" if platform.system() == "Windows" else "bin/python")


def install():
    """Make the environment, and install the wheels into it."""
    shutil.rmtree(str(VENV), ignore_errors=True)  # what an installation that was stopped left
    print(f"Installing the course into {VENV}; this takes some minutes ...", flush=True)
    run([sys.executable, "-m", "venv", str(VENV)], "Python's own module venv is missing")
    # Isolated: settings of this machine's pip name an index, and there is no network.
    pip = [str(python_of_venv()), "-m", "pip", "--isolated", "--disable-pip-version-check"]
    # Python compiles what it uses at the first use; all of PyTorch would take a minute more.
    wheels = ["--no-index", "--no-compile", "--find-links", str(HERE / "wheels")]
    run([*pip, "install", "--quiet", *wheels, "convnet-course"], "pip could not install the wheels")
    run([str(python_of_venv()), "-c", "import course_utils, torch"], "PyTorch does not load here")
    INSTALLED.write_text("yes\n", "utf-8")


def run(command, problem):
    """Run a command; stop with a sentence if it fails."""
    if subprocess.call(command):
        sys.exit(f"{problem}: see above. Show this to whoever gave you the course.")


def main():
    """Check, install unless that was done, and open the course."""
    parser = argparse.ArgumentParser(description="Install the course without a network.")
    parser.add_argument("--no-lab", action="store_true", help="install only")
    args = parser.parse_args()
    if not INSTALLED.is_file():
        facts = json.loads((HERE / "bundle.json").read_text("utf-8"))
        check_machine(facts)
        check_files()
        check_space(facts)
        install()
    if args.no_lab:
        print("Installed. The same line without --no-lab opens the course.")
        return
    lab = [str(python_of_venv()), "-m", "course_utils", "lab"]
    sys.exit(subprocess.call(lab, cwd=str(HERE / "course")))


if __name__ == "__main__":
    main()
