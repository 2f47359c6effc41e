"""The command line: ``python -m course_utils VERB``.

The verbs import what they need when they run, so that ``--help`` answers at once.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from course_utils.grading.folder import Batch
    from course_utils.training import Evaluation, History
    from course_utils.training.experiments import Run

START = "notebooks/00_start_here.ipynb"
EXAMPLES = """examples:
  python -m course_utils doctor
  python -m course_utils models
  python -m course_utils summary vgg16 --input 3x224x224
  python -m course_utils train lenet5 --data fashion_mnist_mini --epochs 5
  python -m course_utils lab --no-browser --port 9000
  python -m course_utils grade submissions.zip --out grades
"""
TRAIN_EXAMPLES = """examples:
  python -m course_utils train lenet5
  python -m course_utils train resnet20 --data cifar10 --epochs 30 --lr 0.1 --crop 4 --flip
  python -m course_utils train resnet_small --data imagefolder:my/photos --checkpoint runs/photos
  torchrun --nproc-per-node 2 -m course_utils train resnet20 --data cifar10 --checkpoint runs/a

With --checkpoint, the same line goes on where a stopped run ended. exit codes: 0 trained to
the end, 1 could not be done, 2 not understood, 130 interrupted.
"""
GRADE_EXAMPLES = """examples:
  python -m course_utils grade ~/Downloads/submissions.zip --out grades/07_lenet
  python -m course_utils grade submissions --out grades/07_lenet --students students.csv

The same line again goes on where a stopped batch ended, grades what is new, and takes over the
points that you gave by hand. What there is to know is in classroom/README.md.
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
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
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

    add_train(verbs)
    add_grade(verbs)
    return parser


def add_train(verbs: Any) -> None:
    """Add the verb ``train`` with its options."""
    train = verbs.add_parser(
        "train",
        help="train a model and test it",
        epilog=TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("model", help="a name from `models`")
    train.add_argument("--data", metavar="NAME", help="default: the profile's")
    train.add_argument("--epochs", type=int, help="default: the profile's")
    train.add_argument("--lr", type=float, help="highest learning rate; default: the profile's")
    train.add_argument("--schedule", help="one-cycle (default), step or constant")
    train.add_argument("--weight-decay", type=float, metavar="W", help="default: 0.0005")
    train.add_argument(
        "--no-nesterov", action="store_false", dest="nesterov", default=None, help="plain momentum"
    )
    train.add_argument("--batch-size", type=int, metavar="N", help="pictures behind one update")
    train.add_argument("--limit", type=int, metavar="N", help="use only N training pictures")
    train.add_argument("--crop", type=int, default=0, metavar="PIXELS", help="random crop")
    train.add_argument("--flip", action="store_true", help="mirror every second picture")
    train.add_argument("--profile", choices=("quick", "laptop", "full"))
    train.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16")
    train.add_argument("--device", help="default: cuda, else mps, else cpu")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--checkpoint", metavar="FOLDER", help="save here, and go on from here")
    train.add_argument("--record", metavar="FILE", help="write the history to this JSON file")
    train.set_defaults(run=run_train)


def add_grade(verbs: Any) -> None:
    """Add the verb ``grade`` with its options."""
    grade = verbs.add_parser(
        "grade",
        help="grade what students sent (for teachers)",
        epilog=GRADE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder or a zip")
    grade.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the results")
    grade.add_argument("--exercise", metavar="SLUG", help="default: as the names of the files say")
    grade.add_argument("--students", type=Path, metavar="CSV", help="ids of those expected")
    grade.add_argument("--workers", type=int, metavar="N", help="at a time; default: one a core")
    grade.add_argument("--timeout", type=float, default=480, metavar="S", help="a submission")
    grade.add_argument("--memory", type=int, default=2048, metavar="MB", help="a submission")
    grade.add_argument("--again", action="store_true", help="also those that are graded already")
    grade.add_argument("--trusted", action="store_true", help="run their code without a sandbox")
    grade.set_defaults(run=run_grade)


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
    """Return the environment of JupyterLab and its kernels: this one, and two things besides.

    Kernels start as they train fastest, and no pop-up asks for news: only a file can switch that
    off.
    """
    from course_utils.startup import recommended_environment

    theirs = os.environ.get("JUPYTER_CONFIG_PATH", "")
    ours = str(Path(__file__).resolve().parent / "jupyter")
    paths = os.pathsep.join(filter(None, [theirs, ours]))
    return dict(os.environ) | recommended_environment() | {"JUPYTER_CONFIG_PATH": paths}


def course_root() -> Path:
    """Return the folder that holds the notebooks: the package's own, or the current one.

    Raises:
        ValueError: The package was installed without them, and they are not here either.
    """
    own = Path(__file__).resolve().parent.parent
    for root in (own, Path.cwd()):
        if (root / START).is_file():
            return root
    raise ValueError(f"{own / START} is not there: run this in a copy of the whole course")


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


def run_train(options: argparse.Namespace, rest: list[str]) -> int:
    """Train one model; rank 0 prints the outcome and writes the record."""
    if options.profile:
        os.environ["COURSE_PROFILE"] = options.profile
    from course_utils.training import ProgressBar, evaluate, fit
    from course_utils.training.distributed import process_group

    with process_group(options.device) as (world, device):
        model, loaders, config = prepare_run(options, device)
        bar = [ProgressBar()] if world.is_main else []
        history = fit(model, loaders, config, on_epoch_end=bar, checkpoint=options.checkpoint)
        if world.is_main and history.epochs:
            result = evaluate(model, loaders.test, precision=options.precision)
            report_run(options, history, result, loaders.train.num_images)
    return 130 if history.interrupted else 0


def prepare_run(options: argparse.Namespace, device: "torch.device") -> "Run":
    """Return the model, the data and the settings that the options ask for.

    What the options leave open is taken from the profile.
    """
    from course_utils import runtime
    from course_utils.training.experiments import Experiment

    settings = runtime.profile()
    names = ("precision", "schedule", "weight_decay", "nesterov")
    given_settings = {name: getattr(options, name) for name in names}
    experiment = Experiment(
        name=options.model,
        title=options.model,
        model=options.model,
        data=options.data or settings.data,
        epochs=given(options.epochs, settings.epochs),
        batch_size=given(options.batch_size, settings.batch_size),
        lr=given(options.lr, settings.lr),
        limit=given(options.limit, settings.limit),
        augment={"crop_padding": options.crop, "flip": options.flip},
        config={name: value for name, value in given_settings.items() if value is not None},
    )
    return experiment.prepare(options.seed, device)


def given(option: Any, default: Any) -> Any:
    """Return an option if it was given, even as 0, which what it is for will refuse."""
    return default if option is None else option


def report_run(
    options: argparse.Namespace, history: "History", result: "Evaluation", num_images: int
) -> None:
    """Print one line about a finished run, and write its record if one was asked for."""
    speed = len(history) * num_images / sum(epoch.seconds for epoch in history.epochs)
    count = f"{len(history)} epoch{'s' * (len(history) > 1)}"
    print(
        f"{options.model}: test accuracy {result.accuracy:.2%} of {result.num_images:,} pictures "
        f"after {count}, {history.seconds:.1f} s, {speed:,.0f} pictures/s"
    )
    if options.record:
        history.environment |= {"model": options.model, "test_accuracy": result.accuracy}
        history.save(options.record)


def run_grade(options: argparse.Namespace, rest: list[str]) -> int:
    """Grade a batch of submissions, and say where the results are."""
    if importlib.util.find_spec("nbgrader") is None:
        raise ValueError("grading needs nbgrader: pip install --editable '.[classroom]'")
    if sys.platform == "win32":
        raise ValueError("grading needs Linux or macOS: on Windows use WSL")
    from tqdm import tqdm

    from course_utils.grading.session import run_batch

    batch, workers = prepare_batch(options)
    with tqdm(unit="notebook", disable=None) as bar:

        def begin(total: int) -> Any:
            bar.reset(total)
            return lambda outcome: bar.update()

        try:
            result = run_batch(
                options.submissions,
                batch,
                workers=workers,
                students=options.students,
                again=options.again,
                progress=begin,
            )
        except KeyboardInterrupt:
            print("grade: stopped; the same line again goes on from here", file=sys.stderr)
            return 130
    print(
        f"{batch.exercise}: {result.num_graded} graded now, {len(result.reports)} in all, "
        f"{len(result.failed) + len(result.problems)} not graded; {len(result.review)} lines in "
        f"{batch.out / 'review.csv'} for a person's eye"
    )
    return 0


def prepare_batch(options: argparse.Namespace) -> "tuple[Batch, int]":
    """Return what is to be graded, and by how many workers.

    Raises:
        ValueError: The options do not fit together.
    """
    from course_utils.grading.collect import which_exercise
    from course_utils.grading.folder import Batch
    from course_utils.grading.sandbox import Limits

    solutions = course_root() / "solutions"
    slugs = sorted(path.parent.name for path in solutions.glob("*/*.ipynb"))
    exercise = options.exercise or which_exercise(options.submissions, slugs)
    workers = given(options.workers, os.cpu_count() or 1)
    if workers < 1:
        raise ValueError(f"--workers {workers}: at least 1")
    out = options.out.resolve()
    hidden = (out, options.submissions.resolve(), solutions)
    limits = Limits(seconds=options.timeout, memory_mb=options.memory)
    batch = Batch(exercise, solutions / exercise, out, limits, options.trusted, hidden)
    return batch, workers


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
