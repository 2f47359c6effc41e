"""The command line: `python -m course_utils VERB`.

Each verb imports what it needs when it runs, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from course_utils.arguments import as_path
from course_utils.lab import serve

if TYPE_CHECKING:
    import torch

    from course_utils.training import Evaluation, History
    from course_utils.training.experiments import Run

__all__ = ["GRADE_HELP", "NO_GRADER", "VERBS", "main"]

EXAMPLES = """examples:
  python -m course_utils doctor
  python -m course_utils models
  python -m course_utils summary vgg16 --input 3x224x224
  python -m course_utils train lenet5 --data fashion_mnist_mini --epochs 5
  python -m course_utils challenge my_entry.py
  python -m course_utils lab --no-browser --port 9000
  python -m course_utils grade submissions.zip --out grades
"""
TRAIN_EXAMPLES = """examples:
  python -m course_utils train lenet5
  python -m course_utils train resnet20 --data cifar10 --epochs 30 --lr 0.1 --crop 4 --flip
  python -m course_utils train resnet_small --data imagefolder:my/photos --checkpoint runs/photos
  torchrun --nproc-per-node 2 -m course_utils train resnet20 --data cifar10 --checkpoint runs/a

With --checkpoint, the same command continues a run that was stopped. Exit codes: 0 trained to
the end, 1 could not be done, 2 not understood, 130 interrupted.
"""
VERBS = "course_utils.verbs"
"""The entry points by which a package adds a verb: functions that take the subparsers."""
GRADE_HELP = "grade submissions (for teachers)"
NO_GRADER = "grading needs nbgrader and PyTorch: pip install --editable '.[classroom]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: The words after `python -m course_utils`; the process's own by default.

    Returns:
        The exit code: 0 if it worked, 1 with one sentence on stderr if it could not be done,
        2 if the command itself was not understood.
    """
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not options.takes_rest:
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
    parser.set_defaults(takes_rest=False)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    lab = verbs.add_parser("lab", help="open the course in JupyterLab; options are passed on to it")
    lab.set_defaults(run=run_lab, takes_rest=True)

    doctor = verbs.add_parser(
        "doctor", help="say whether everything is ready, and what to do if not"
    )
    doctor.add_argument("--all", action="store_true", help="show everything that was checked")
    doctor.set_defaults(run=run_doctor)

    models = verbs.add_parser(
        "models", help="list every architecture with its parameters and multiply-adds"
    )
    models.set_defaults(run=run_models)

    summary = verbs.add_parser("summary", help="show a model layer by layer")
    summary.add_argument("model", help="a name from `models`")
    summary.add_argument(
        "--input", metavar="CxHxW", help="such as 3x224x224; default: the model's own"
    )
    summary.set_defaults(run=run_summary)

    challenge = verbs.add_parser("challenge", help="score your challenge entry at home")
    challenge.add_argument("entry", type=as_path, metavar="ENTRY", help="a Python file")
    challenge.add_argument("--seconds", type=float, metavar="S", help="training time; default: 120")
    challenge.set_defaults(run=run_challenge)

    add_train(verbs)
    for add_verb in installed_verbs():
        add_verb(verbs)
    if "grade" not in verbs.choices:
        grade = verbs.add_parser("grade", help=GRADE_HELP)
        grade.set_defaults(run=refuse_to_grade, takes_rest=True)
    return parser


def installed_verbs() -> Iterator[Callable[[Any], None]]:
    """Yield the function by which each installed package, such as the grader, adds a verb."""
    for entry in entry_points(group=VERBS):
        try:
            yield entry.load()
        except ImportError:  # the package has moved since; `lab` must work all the same
            continue


def add_train(verbs: Any) -> None:
    """Add the verb `train` with its options."""
    train = verbs.add_parser(
        "train",
        help="train a model and test it",
        epilog=TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("model", help="a name from `models`")
    train.add_argument(
        "--data",
        metavar="NAME",
        help="shapes, mnist, cifar10, ... or imagefolder:FOLDER; default: the profile's",
    )
    train.add_argument(
        "--epochs", type=int, help="passes over the training images; default: the profile's"
    )
    train.add_argument("--lr", type=float, help="highest learning rate; default: the profile's")
    train.add_argument("--schedule", help="one-cycle (default), step or constant")
    train.add_argument("--weight-decay", type=float, metavar="W", help="default: 0.0005")
    train.add_argument(
        "--no-nesterov",
        action="store_false",
        dest="nesterov",
        default=None,
        help="use plain momentum",
    )
    train.add_argument(
        "--batch-size", type=int, metavar="N", help="images per update; default: the profile's"
    )
    train.add_argument(
        "--limit", type=int, metavar="N", help="use N training images; the other sets stay whole"
    )
    train.add_argument(
        "--crop", type=int, default=0, metavar="PIXELS", help="pad by PIXELS, then crop at random"
    )
    train.add_argument("--flip", action="store_true", help="flip images horizontally, at random")
    train.add_argument("--profile", choices=("quick", "laptop", "full"))
    train.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16")
    train.add_argument("--device", help="default: cuda, else mps, else cpu")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--checkpoint",
        type=as_path,
        metavar="FOLDER",
        help="save to this folder, and continue from it",
    )
    train.add_argument(
        "--record", type=as_path, metavar="FILE", help="write the history to this file, as JSON"
    )
    train.set_defaults(run=run_train)


def run_lab(options: argparse.Namespace, rest: list[str]) -> int:
    """Run JupyterLab, open on the first lesson."""
    serve(rest)
    return 0


def run_doctor(options: argparse.Namespace, rest: list[str]) -> int:
    """Print whether everything is ready; with `--all`, also everything that was checked."""
    from course_utils.doctor import doctor

    report = doctor(everything=options.all)
    tell(f"{report.verdict}\n{report.table()}" if options.all else report)
    return 0


def run_models(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the table of all architectures."""
    from course_utils import inspection

    tell(inspection.model_table())
    return 0


def run_summary(options: argparse.Namespace, rest: list[str]) -> int:
    """Print one model layer by layer."""
    from course_utils import inspection

    shape = parse_shape(options.input) if options.input else None
    tell(inspection.summarise(options.model, shape))
    return 0


def run_challenge(options: argparse.Namespace, rest: list[str]) -> int:
    """Score an entry on practice images, and print how it went."""
    from course_utils.challenge import Rules, practise

    practise(options.entry, Rules(**({"seconds": options.seconds} if options.seconds else {})))
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

    The profile decides whatever the options leave open.
    """
    from course_utils.runtime import profile
    from course_utils.training.experiments import read_row

    def given(*names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(options, name)) is not None}

    row = given("model", "data", "epochs", "batch_size", "lr", "limit") | {
        "title": options.model,
        "augment": {"crop_padding": options.crop, "flip": options.flip},
        "config": given("precision", "schedule", "weight_decay", "nesterov"),
    }
    return read_row(options.model, row, profile()).prepare(options.seed, device)


def tell(text: object) -> None:
    """Print something as long as anybody reads it: `models | head` is not an error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end


def report_run(
    options: argparse.Namespace, history: "History", result: "Evaluation", num_images: int
) -> None:
    """Print one line about a finished run, and write its record if one was asked for."""
    speed = len(history) * num_images / sum(epoch.seconds for epoch in history.epochs)
    count = f"{len(history)} epoch{'s' * (len(history) > 1)}"
    print(
        f"{options.model}: test accuracy {result.accuracy:.2%} on {result.num_images:,} images "
        f"after {count}, {history.seconds:.1f} s, {speed:,.0f} images/s"
    )
    if options.record:
        history.environment |= {"model": options.model, "test_accuracy": result.accuracy}
        history.save(options.record)


def refuse_to_grade(options: argparse.Namespace, rest: list[str]) -> int:
    """Say how to install the grader.

    Raises:
        ValueError: Always.
    """
    raise ValueError(NO_GRADER)


def parse_shape(text: str) -> tuple[int, int, int]:
    """Turn `3x224x224` into (3, 224, 224).

    Raises:
        ValueError: The text is not three positive whole numbers with an x between them.
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"{text!r} is not a shape: write channels x height x width, as in 3x224x224"
        )
    channels, height, width = map(int, parts)
    return channels, height, width
