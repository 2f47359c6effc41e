"""How fast the course trains, compared with other libraries and with the machine's limit.

    python benchmarks/training.py [--quick] [--data imagefolder:PATH]

For LeNet, a small VGG and ResNet-20, the contenders of `contenders.py` train on the same images
with the same weights, batch size, optimiser and augmentation. Each is its own process; they take
turns of one epoch each, so that a noisy minute hurts all of them. All start several times: a
process is a few per cent faster or slower than another of the same program, from start to end,
depending on the memory that it happens to get. Prints the tables, and writes them into the section
`training` of results.md.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec

from report import RESULTS, circumstances, markdown, write_section
from turns import Contender, Setting

from course_utils.arguments import as_path
from course_utils.startup import (
    VARIABLES,
    find_processors,
    recommended_environment,
    recommended_threads,
)
from course_utils.tables import Table

WARM_UP = 1  # turns after each start that are not counted
PACKAGES = ("torch", "torchvision", "pillow", "lightning")


@dataclass(frozen=True)
class Case:
    """A model, and how much of it makes a turn of a second or two.

    Attributes:
        title: Its name in the table.
        model: A name from the course's registry.
        data: A name that `course_utils.data.load` knows.
        batch_size: Images in a batch: that of the lessons, or of the paper.
        steps: Batches in a turn.
        limit_target: The most that our epoch may cost, as a multiple of the limit.
        peer_target: The least that our speed should be, as a multiple of each peer's, or None.
        auto_target: The same with `precision="auto"` on a CPU with AMX.
    """

    title: str
    model: str
    data: str
    batch_size: int
    steps: int
    limit_target: float
    peer_target: float | None = None
    auto_target: float | None = None


CASES = (
    Case("LeNet-5, 1x28x28", "lenet5", "fashion_mnist_mini", 64, 100, 1.15, 1.5),
    Case("small VGG, 1x28x28", "vgg_small", "fashion_mnist_mini", 64, 40, 1.05),
    Case("ResNet-20, 3x32x32", "resnet20", "shapes", 128, 10, 1.05, 1.15, 2.2),
)

TITLES = {
    "ours-float32": "ours, float32",
    "ours-auto": 'ours, precision="auto"',
    "ours-compiled": "ours, auto, compile=True",
    "limit-float32": "the limit, float32",
    "limit-auto": 'the limit, precision="auto"',
    "loop": "DataLoader and torchvision",
    "lightning": "PyTorch Lightning",
    "d2l": "d2l's Trainer",
}
OURS = ("ours-float32", "ours-auto")
COMPILED = "ours-compiled"
SWAPPED = ("ours-auto, swapped", "loop-0, swapped")
"""Contenders in each other's environment, to show what the environment does."""
LIMITS = {"ours-float32": "limit-float32", "ours-auto": "limit-auto"}
PEERS = {
    "loop": ("loop-0", "loop-2"),
    "lightning": ("lightning-0", "lightning-2"),
    "d2l": ("d2l-4",),
}


@dataclass(frozen=True)
class Measured:
    """What one contender needed, turn by turn, without the warm-up.

    Attributes:
        name: The contender's name, as in `contenders_of`.
        setting: What it was told.
        seconds: The seconds of each turn, one start after the other.
        peaks: For each start, the most memory so far after each turn, in MB.
        held: For each start, the memory after each turn, in MB.
    """

    name: str
    setting: Setting
    seconds: tuple[float, ...]
    peaks: tuple[tuple[float, ...], ...]
    held: tuple[tuple[float, ...], ...]

    @classmethod
    def from_starts(cls, name: str, starts: Sequence[Contender]) -> "Measured":
        """Combine what the processes of one contender reported.

        Args:
            name: The contender's name.
            starts: Its processes.
        """
        counted = [start.turns[WARM_UP:] for start in starts]
        return cls(
            name,
            starts[0].setting,
            tuple(turn.seconds for turns in counted for turn in turns),
            tuple(tuple(turn.peak for turn in turns) for turns in counted),
            tuple(tuple(turn.held for turn in turns) for turns in counted),
        )

    @property
    def speed(self) -> float:
        """Images per second: the median over the turns."""
        return self.setting.num_images / statistics.median(self.seconds)

    @property
    def title(self) -> str:
        """Its name in the table."""
        contender = self.setting.contender
        if contender in TITLES:
            title = TITLES[contender]
        else:
            peer, workers = contender.split("-")
            title = f"{TITLES[peer]}, {workers} workers"
        if self.name not in SWAPPED:
            return title
        place = "usual environment" if _is_as_usual(self.name) else "environment of `make lab`"
        return f"{title}; {place}"


def ratio(one: Measured, other: Measured) -> float:
    """Return how many times as fast one is as the other: the median over the rounds."""
    pairs = zip(other.seconds, one.seconds, strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def usual_environment() -> dict[str, str]:
    """Return the peers' variables: as many threads as the course would use, and nothing else."""
    recommended = str(recommended_threads(find_processors()))
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", recommended)}


def course_environment() -> dict[str, str]:
    """Return the variables of ours and of the limit: those that `make lab` gives a notebook."""
    return usual_environment() | recommended_environment()


def environment_of(name: str) -> dict[str, str]:
    """Return the variables that a contender gets."""
    return usual_environment() if _is_as_usual(name) else course_environment()


def _is_as_usual(name: str) -> bool:
    """Return whether a contender gets the usual environment: a peer, or a swapped one of ours."""
    is_peer = name.split("-")[0] in PEERS
    return is_peer != (name in SWAPPED)


def contenders_of(with_lightning: bool, compiled: bool) -> list[str]:
    """Return the names of all contenders, in the order of the table."""
    peers = [name for peer, names in PEERS.items() for name in names]
    chosen = [name for name in peers if with_lightning or not name.startswith("lightning")]
    return [*OURS, *([COMPILED] * compiled), *LIMITS.values(), *chosen, *SWAPPED]


def measure(case: Case, names: Sequence[str], rounds: int, starts: int = 1) -> dict[str, Measured]:
    """Start the contenders and let them take turns, several times.

    Args:
        case: What they train.
        names: Of the contenders.
        rounds: Counted turns of each after each start.
        starts: How often all of them are started.
    """
    started = [_play(case, names, rounds, first=start * rounds) for start in range(starts)]
    return {name: Measured.from_starts(name, [one[name] for one in started]) for name in names}


def _play(case: Case, names: Sequence[str], rounds: int, first: int) -> dict[str, Contender]:
    """Let contenders take turns until they have trained, with another one first in each round."""
    setting = Setting(
        "", case.model, case.data, case.batch_size, case.steps, turns=rounds + WARM_UP
    )
    with ExitStack() as stack:
        contenders = {}
        for name in names:
            mine = replace(setting, contender=name.partition(",")[0])
            contenders[name] = stack.enter_context(Contender(mine, environment_of(name)))
        order = list(contenders.values())
        for contender in order:
            contender.wait_until_ready()
        for number in range(first, first + rounds + WARM_UP):
            place = number % len(order)
            for contender in order[place:] + order[:place]:
                contender.take_turn()
    return contenders


def best_of_each_peer(measured: dict[str, Measured]) -> dict[str, Measured]:
    """Return the faster number of workers of each peer."""
    best = {}
    for peer, names in PEERS.items():
        known = [measured[name] for name in names if name in measured]
        if known:
            best[peer] = max(known, key=lambda one: one.speed)
    return best


def speeds(case: Case, measured: dict[str, Measured]) -> Table:
    """Return a row for each contender: its speed, ours beside it, and its memory."""
    ours = [measured[name] for name in OURS]
    shown = [measured[name] for name in (*OURS, COMPILED, *LIMITS.values()) if name in measured]
    shown += best_of_each_peer(measured).values()
    shown += [measured[name] for name in SWAPPED if name in measured]
    rows = tuple(
        (
            one.title,
            round(one.speed),
            *(round(ratio(mine, one), 2) for mine in ours),
            round(max(peaks[-1] for peaks in one.peaks)),
            round(max(peaks[-1] - peaks[0] for peaks in one.peaks)),
            round(max(held[-1] - held[0] for held in one.held)),
        )
        for one in shown
    )
    columns = ("training", "images/s", "ours float32 / it", "ours auto / it")
    memory = ("peak memory, MB", "peak's growth", "growth of what is held")
    return Table((*columns, *memory), rows, case.title)


def slower_choices(measured: dict[str, Measured]) -> str:
    """Return a sentence on the numbers of workers that the table leaves out."""
    kept = {one.name for one in best_of_each_peer(measured).values()}
    left = [
        f"{one.title} {one.speed:,.0f}"
        for name, one in measured.items()
        if name not in {*OURS, COMPILED, *LIMITS.values(), *SWAPPED, *kept}
    ]
    return f"Slower, in images/s: {'; '.join(left)}." if left else ""


def targets(case: Case, measured: dict[str, Measured]) -> Iterator[tuple[str, str, str, bool]]:
    """Return the claim, the target, the result, and whether it meets the target."""
    for ours, limit in LIMITS.items():
        cost = ratio(measured[limit], measured[ours])
        claim = f"{case.model}: cost of {TITLES[ours]}, over the limit's"
        yield claim, f"<= {case.limit_target}", f"{cost:.3f}", cost <= case.limit_target
    for ours, target in zip(OURS, (case.peer_target, case.auto_target), strict=True):
        for peer, best in best_of_each_peer(measured).items() if target else ():
            factor = ratio(measured[ours], best)
            claim = f"{case.model}: speed of {TITLES[ours]}, over {TITLES[peer]}"
            yield claim, f">= {target}", f"{factor:.2f}", factor >= target


def section(
    results: dict[Case, dict[str, Measured]], seconds: float, words: Sequence[str] = ()
) -> str:
    """The section of results.md.

    Args:
        results: What was measured.
        seconds: How long it all took.
        words: The words of the command line.
    """
    command = f'make bench ARGS="{" ".join(words)}"' if words else "make bench"
    one = next(iter(next(iter(results.values())).values()))
    starts, rounds = len(one.peaks), len(one.peaks[0])
    parts = [
        "## Training speed",
        f"`{command}`; the contenders started {starts} times and took turns of one epoch each, "
        f"{rounds} rounds after each start; medians; {seconds / 60:.1f} minutes in all.",
        circumstances(PACKAGES, course_environment()),
    ]
    rows: list[tuple[str, str, str, bool]] = []
    for case, measured in results.items():
        parts += [f"### {case.title}", _describe(case), markdown(speeds(case, measured))]
        parts += [slower_choices(measured)]
        rows += targets(case, measured)
    goals = Table(("target", "wanted", "measured", "met"), tuple(rows))
    parts += ["### Targets", markdown(goals), "### What is compared", NOTES]
    return "\n\n".join(part for part in parts if part)


def _describe(case: Case) -> str:
    return (
        f"`{case.model}` on `{case.data.partition(':')[0]}`, batches of {case.batch_size}, "
        f"{case.steps} per turn."
    )


NOTES = """\
- Everyone: the same images, weights, batch size, number of threads; random crop with a padding
  of 4 and flip; SGD with Nesterov momentum 0.9, weight decay 5e-4. A turn is a whole epoch, with
  whatever starting it costs, and without validation; nobody computes in another one's turn.
- The environment of `make lab` is that of ours and of the limit. The peers have the same number
  of threads, and nothing else set, as their users would start them. Two rows show one of each in
  the other's environment.
- Ours: one call of `fit` as in the lessons, with its schedule, its metrics and its check for NaN.
  Channels-last, as by default. `precision="auto"` is bfloat16 on a CPU that multiplies it.
- The limit: forward, backward and step on one batch that is in memory; channels-last; the same
  precision as ours.
- DataLoader and torchvision: the loop of most tutorials. Images become PIL images, then
  RandomCrop, RandomHorizontalFlip, ToTensor, Normalize. float32, NCHW. The faster of 0 and 2 worker
  processes is in the table.
- PyTorch Lightning: its Trainer on the same loader; logging, checkpoints, progress bar off.
  float32, NCHW. The faster of 0 and 2 worker processes is in the table.
- d2l's Trainer: re-created from the book's description, four worker processes as there. Its board
  takes in the losses and draws nothing. float32, NCHW.
- Ratios are medians over all rounds of the ratio within a round, so they need not be the quotient
  of the medians. Above 1, ours is faster.
- `compile=True` needs a C++ compiler; compiling (half a minute to a minute) is in the turn that is
  not counted. It has no target.
- Peak memory: `ru_maxrss` of each contender's process; worker processes come on top and are not
  counted. Its growth, and that of the memory which is held when an epoch has ended: from the end of
  the first counted epoch to the end of the last, in MB, most over the starts. The peak of many
  steps is a matter of chance (in which order the allocator gives blocks back); a leak would show in
  what is held."""


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--rounds", type=int, default=3, help="counted turns after each start")
    parser.add_argument("--starts", type=int, default=3, help="how often all are started")
    parser.add_argument("--data", help="for ResNet-20, such as cifar10 or imagefolder:PATH")
    parser.add_argument("--models", nargs="+", choices=[case.model for case in CASES])
    parser.add_argument("--no-lightning", action="store_true", help="leave PyTorch Lightning out")
    parser.add_argument(
        "--no-compiled", action="store_true", help="leave compile=True out; it needs a C++ compiler"
    )
    parser.add_argument("--results", type=as_path, help="the file to write, if not results.md")
    chosen = parser.parse_args(words)
    if not chosen.no_lightning and find_spec("lightning") is None:
        sys.exit("PyTorch Lightning is missing: `make bench` installs it; or give --no-lightning")
    for name in VARIABLES:
        os.environ.pop(name, None)  # a terminal in `make lab` has them: peers start without
    started = time.perf_counter()
    results = {}
    for case in _cases(chosen):
        names = contenders_of(not chosen.no_lightning, _compiles(chosen))
        rounds, starts = (2, 1) if chosen.quick else (chosen.rounds, chosen.starts)
        results[case] = measure(case, names, rounds, starts)
        print(f"{speeds(case, results[case])}\n{slower_choices(results[case])}\n", flush=True)
    for case, measured in results.items():
        for claim, target, value, met in targets(case, measured):
            print(f"{claim}: {value}, wanted {target}{'' if met else '  NOT MET'}")
    if chosen.results or not chosen.quick:
        given = sys.argv[1:] if words is None else words
        text = section(results, time.perf_counter() - started, given)
        write_section(chosen.results or RESULTS, "training", text)


def _compiles(chosen: argparse.Namespace) -> bool:
    """Return whether `compile=True` takes part: if there is a compiler, and time for it."""
    return not (chosen.quick or chosen.no_compiled) and shutil.which("c++") is not None


def _cases(chosen: argparse.Namespace) -> Iterator[Case]:
    """Return the cases that the command line asks for."""
    for case in CASES:
        if chosen.models and case.model not in chosen.models:
            continue
        if chosen.data and case.model == "resnet20":
            case = replace(case, data=chosen.data)
        yield replace(case, batch_size=8, steps=2) if chosen.quick else case


if __name__ == "__main__":
    main()
