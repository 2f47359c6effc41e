"""The command line: ``python -m course_utils VERB``.

The verbs import what they need when they run, so that ``--help`` answers at once.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

START = "notebooks/00_start_here.ipynb"
EXAMPLES = """examples:
  python -m course_utils doctor
  python -m course_utils models
  python -m course_utils summary vgg16 --input 3x224x224
  python -m course_utils lab --no-browser --port 9000
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: What stands after ``python -m course_utils``; the process's own by default.

    Returns:
        The exit code: 0 if it worked, 1 with one sentence on stderr if it could not be done,
        2 if the command itself was not understood.
    """
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb != "lab":
        parser.error(f"not understood: {' '.join(rest)}")
    try:
        return options.run(options, rest)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"{options.verb}: {error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils",
        description="Commands of the convnet course.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    lab = verbs.add_parser("lab", help="open the course in JupyterLab; options go on to it")
    lab.set_defaults(run=run_lab)

    doctor = verbs.add_parser("doctor", help="say what this machine has and what to do")
    doctor.set_defaults(run=run_doctor)

    models = verbs.add_parser("models", help="list every architecture with its counts")
    models.set_defaults(run=run_models)

    summary = verbs.add_parser("summary", help="show a model layer by layer")
    summary.add_argument("model", help="a name from `models`")
    summary.add_argument("--input", metavar="CxHxW", help="such as 3x224x224; default: its own")
    summary.set_defaults(run=run_summary)
    return parser


def run_lab(options: argparse.Namespace, rest: list[str]) -> int:
    """Open JupyterLab on the first lesson: on this machine only, with its token."""
    root = course_root()
    command = [sys.executable, "-m", "jupyterlab", *lab_settings(root), *rest]
    try:
        return subprocess.call(command, env=lab_environment())
    except KeyboardInterrupt:  # Ctrl-C has already ended JupyterLab
        return 0


def lab_settings(root: Path) -> list[str]:
    """Return what JupyterLab is told: where the course is, and to ask nobody for news."""
    settings = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{START}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings.append("--allow-root")  # in a container: still loopback only, still with a token
    return settings


def lab_environment() -> dict[str, str]:
    """Return the environment of the kernels: this one, and how threads should wait."""
    from course_utils.training.threads import recommended_environment

    return dict(os.environ) | recommended_environment()


def course_root() -> Path:
    """Return the folder that holds the notebooks.

    Raises:
        ValueError: The package was installed without them.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / START).is_file():
        raise ValueError(f"{root / START} is not there: run this from a copy of the whole course")
    return root


def run_doctor(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the doctor's table."""
    from course_utils.doctor import doctor

    print(doctor())
    return 0


def run_models(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the table of all architectures."""
    from course_utils import inspection

    print(inspection.model_table())
    return 0


def run_summary(options: argparse.Namespace, rest: list[str]) -> int:
    """Print one model layer by layer."""
    from course_utils import inspection

    shape = parse_shape(options.input) if options.input else None
    print(inspection.summarise(options.model, shape))
    return 0


def parse_shape(text: str) -> tuple[int, int, int]:
    """Turn ``3x224x224`` into (3, 224, 224).

    Raises:
        ValueError: The text is not three positive whole numbers with an x between them.
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"{text!r} is no shape: write channels x height x width, as in 3x224x224")
    channels, height, width = map(int, parts)
    return channels, height, width
