"""Checks for exercises: what a learner sees at once, and what grading adds.

A check is a function that takes the learner's answers. If they are right it simply returns; if not,
it says in one sentence what is wrong, with `require`. The same check is used in two ways:

* `show` prints the sentence and never stops the notebook, so that *Run All* reaches the end of an
  exercise that has not been started. This is what learners use.
* `award` is in the hidden part of a test cell, so it runs only where a class is graded (or the
  solution is built). It raises on a wrong answer and returns the points for a right one.

A check gets plain data and handles, whatever process the learner's code runs in: see `beside`.
"""

import builtins
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from math import isclose, prod
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from course_utils.beside import (
    SESSION,
    CheckFailed,
    NotAnswered,
    beside,
    forbidding,
    handed_in,
    place_of,
)

__all__ = [
    "CheckFailed",
    "ListedBatches",
    "NotAnswered",
    "PairedSeeds",
    "Stage",
    "as_integer",
    "as_letter",
    "as_letters",
    "as_shape",
    "award",
    "beside",
    "buffers_of",
    "generator",
    "gradients_of",
    "is_module",
    "name_slip",
    "paired_seeds",
    "parameters_of",
    "random_tensor",
    "require",
    "require_again",
    "require_number",
    "require_own_layers",
    "require_stages",
    "require_tensor",
    "reveal",
    "seed_of",
    "set_mode",
    "set_parameters",
    "show",
    "uneven_batches",
    "without",
]

BORROWED_FROM = ("course_utils", "torchvision")
"""Packages whose ready-made modules do not count where a task says "write it"."""


def require(condition: bool, sentence: str) -> None:
    """State one thing that must be true of an answer.

    Args:
        condition: What must be true.
        sentence: What to tell the learner if it is not.

    Raises:
        CheckFailed: The condition does not hold.
    """
    if not condition:
        raise CheckFailed(sentence)


def show(check: Callable[..., None], *answers: Any, fine: str = "nothing wrong found here") -> bool:
    """Print what a check finds; return whether it found nothing wrong.

    Args:
        check: Takes the answers; returns, or raises with a sentence.
        answers: What the learner wrote.
        fine: What to print if nothing is wrong.
    """
    finding = _finding(check, answers)
    print(f"✗ {finding}" if finding else f"✓ {fine}")
    return finding is None


def award(points: float, check: Callable[..., None], *answers: Any) -> float:
    """Return the points of a right answer, for nbgrader to read as the cell's result.

    Args:
        points: What the test cell is worth.
        check: Takes the answers; returns, or raises with a sentence.
        answers: What the learner wrote.

    Raises:
        CheckFailed: The answer is wrong or missing, or it raises an error.
    """
    finding = _finding(check, answers)
    if finding:
        raise CheckFailed(finding) from None
    return float(points)


def _finding(check: Callable[..., None], answers: Iterable[Any]) -> str | None:
    """Run a check; return in a sentence what is wrong, or None."""
    try:
        with handed_in(answers) as handles:
            _isolated(check)(*handles)
    except NotAnswered:
        return "not answered yet"
    except CheckFailed as failure:
        return str(failure)
    except (Exception, SystemExit) as error:  # whatever a learner's code may do
        return f"your code stopped with {type(error).__name__}: {error}{place_of(error)}"
    return None


def _isolated(check: Callable[..., None]) -> Callable[..., None]:
    """Return a check that sees the notebook's names, but Python's own `sum`, `len`, ...

    A notebook may have variables with these names. The notebook's other functions that the check
    calls see the same names as the check.
    """
    assert isinstance(check, FunctionType), "a check is a plain function"
    notebook = check.__globals__
    names = {key: value for key, value in notebook.items() if not hasattr(builtins, key)}
    names["__builtins__"] = builtins
    for key, value in names.items():
        gatherer = getattr(value, "__wrapped__", None)
        if isinstance(value, FunctionType) and value.__globals__ is notebook:
            names[key] = _rebound(value, names)
        elif isinstance(gatherer, FunctionType) and gatherer.__globals__ is notebook:
            names[key] = beside(_rebound(gatherer, names))
    return _rebound(check, names)


def _rebound(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    """Return a copy of a function that looks its global names up in `names`."""
    code, defaults, closure = function.__code__, function.__defaults__, function.__closure__
    copy = FunctionType(code, names, function.__name__, defaults, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def as_shape(answer: Any, num_sizes: int) -> tuple[int, ...]:
    """Return an answer that must be a shape, such as (16, 5, 5).

    Types are compared exactly here and below, so that no object that claims to equal
    everything passes as an answer.

    Args:
        answer: What the learner wrote.
        num_sizes: How many sizes the shape has.

    Raises:
        NotAnswered: The answer is still None.
        CheckFailed: The answer is something else.
    """
    _require_answer(answer)
    require(
        type(answer) in (tuple, list, torch.Size) and all(type(size) is int for size in answer),
        f"answer with a tuple of whole numbers, not with {answer!r}",
    )
    require(
        len(answer) == num_sizes,
        f"answer with {num_sizes} numbers: {answer!r} has {len(answer)}",
    )
    return tuple(answer)


def as_integer(answer: Any) -> int:
    """Return an answer that must be a whole number; raises like `as_shape`."""
    _require_answer(answer)
    require(type(answer) is int, f"answer with a whole number such as 156, not with {answer!r}")
    return answer


def as_letter(answer: Any, letters: str) -> str:
    """Return an answer that must be one of some letters, as a capital; raises like `as_shape`.

    Args:
        answer: What the learner wrote.
        letters: The possible letters, such as "ABCD".
    """
    _require_answer(answer)
    require(
        type(answer) is str and len(answer) == 1 and answer.upper() in letters,
        f'answer with one of the letters {", ".join(letters)}, such as "{letters[0]}", '
        f"not with {answer!r}",
    )
    return answer.upper()


def as_letters(answer: Any, letters: str) -> frozenset[str]:
    """Return an answer that must be a set of letters, as capitals; see `as_letter`."""
    _require_answer(answer)
    require(
        type(answer) in (set, frozenset, tuple, list),
        f'answer with a set of letters such as {{"{letters[0]}", "{letters[1]}"}}, '
        f"not with {answer!r}",
    )
    return frozenset(as_letter(letter, letters) for letter in answer)


def _require_answer(answer: Any) -> None:
    """Raise `NotAnswered` for the None that an answer cell starts with."""
    if answer is None or answer is ...:
        raise NotAnswered


def name_slip(answer: Any, slips: Mapping[str, Any]) -> None:
    """Reject an answer that comes from a well-known slip, and name the slip.

    Args:
        answer: The learner's, as `as_shape` and the others return it.
        slips: What went wrong ("you forget the bias") -> the answer that results.

    Raises:
        CheckFailed: The answer comes from a slip.
    """
    for slip, value in slips.items():
        require(answer != value, f"{answer} is what you get if {slip}")


def require_tensor(
    answer: Any,
    expected: torch.Tensor,
    slips: Mapping[str, torch.Tensor] | None = None,
    *,
    hint: str = "",
    tolerance: float = 1e-5,
) -> None:
    """Compare a tensor with the right one, and name the slip behind a wrong one.

    Args:
        answer: What the learner's code returned.
        expected: The right tensor.
        slips: What went wrong ("you forget the bias") -> the tensor that results, of any shape. A
            slip that leads to the right tensor here is ignored.
        hint: What to look at if the shape is wrong.
        tolerance: The largest difference allowed, absolute and relative.

    Raises:
        NotAnswered: The answer is still None.
        CheckFailed: The answer is not the right tensor.
    """
    _require_answer(answer)
    require(
        type(answer) in (torch.Tensor, nn.Parameter),
        f"return a tensor, not {type(answer).__name__}",
    )
    answer = answer.detach().to(expected.dtype)
    for slip, wrong in (slips or {}).items():
        is_slip = _is_close(answer, wrong, tolerance) and not _is_close(wrong, expected, tolerance)
        require(not is_slip, f"your output is what you get if {slip}")
    require(
        answer.shape == expected.shape,
        f"your output has the shape {tuple(answer.shape)}, expected {tuple(expected.shape)}"
        + (f": {hint}" if hint else ""),
    )
    require(bool(answer.isfinite().all()), "your output contains infinite or NaN values")
    if not _is_close(answer, expected, tolerance):
        index = int((answer - expected).abs().argmax())
        place = tuple(int(i) for i in torch.unravel_index(torch.tensor(index), expected.shape))
        raise CheckFailed(
            f"your output differs from the right one. The difference is largest at {place}: "
            f"{answer[place].item():.5g}, expected {expected[place].item():.5g}"
        )


def require_number(
    answer: Any,
    expected: float,
    slips: Mapping[str, float] | None = None,
    *,
    tolerance: float = 1e-5,
) -> None:
    """Compare a number with the right one, and name the slip behind a wrong one.

    Args:
        answer: What the learner's code returned; a whole number where `expected` is one.
        expected: The right number.
        slips: What went wrong -> the number that results. A slip that leads to the right number is
            ignored.
        tolerance: The largest difference allowed, relative to `expected`; a whole number must be
            exact.

    Raises:
        NotAnswered: The answer is still None.
        CheckFailed: The answer is not the right number.
    """
    _require_answer(answer)
    kinds = (int,) if type(expected) is int else (int, float)
    require(
        type(answer) in kinds,
        f"return a {'whole ' * (kinds == (int,))}number, not {type(answer).__name__}",
    )

    def close(a: float, b: float) -> bool:
        return a == b if kinds == (int,) else isclose(a, b, rel_tol=tolerance, abs_tol=1e-12)

    for slip, wrong in (slips or {}).items():
        is_slip = close(answer, wrong) and not close(wrong, expected)
        require(not is_slip, f"{_rounded(answer)} is what you get if {slip}")
    sentence = f"{_rounded(answer)} is not the right number, which is {_rounded(expected)}"
    require(close(answer, expected), sentence)


def _rounded(number: float) -> str:
    """Write a number with at most seven significant digits; a whole number with all digits."""
    return f"{number:,}" if type(number) is int else f"{float(f'{number:.7g}'):,}"


class PairedSeeds(NamedTuple):
    """The mean difference between two lists of results, seed by seed, and its standard error.

    Attributes:
        mean: The mean of the differences, seed by seed.
        error: Its standard error.
        mean_slips: What went wrong -> the mean that results; for `require_number`.
        error_slips: Likewise, for the standard error.
    """

    mean: float
    error: float
    mean_slips: dict[str, float]
    error_slips: dict[str, float]


def paired_seeds(after: Sequence[float], before: Sequence[float]) -> PairedSeeds:
    """Compare two lists of results, seed by seed: after - before.

    Args:
        after: One result for each seed.
        before: Likewise, for the same seeds in the same order.
    """
    one, other = (torch.tensor(results, dtype=torch.float64) for results in (after, before))
    gaps, n = one - other, len(one)
    spread, biased = gaps.std().item(), gaps.std(correction=0).item()
    unrelated = (one.var() + other.var()).item()
    mean_slips = {
        "you take the median": gaps.median().item(),
        "you add the differences up": gaps.sum().item(),
    }
    error_slips = {
        "you do not divide by the square root of the number of seeds": spread,
        "you divide by n, not by n - 1": biased / n**0.5,
        f"you divide by {n}, not by its square root": spread / n,
        "you report the variance of the mean": spread**2 / n,
        "you treat the runs as unrelated, and add their variances": (unrelated / n) ** 0.5,
    }
    return PairedSeeds(gaps.mean().item(), spread / n**0.5, mean_slips, error_slips)


def require_again(what: str, claimed: float, again: float, tolerance: float) -> None:
    """Require that repeating a learner's training leads to the number that the learner reports.

    Another processor rounds differently, so the two are rarely equal: the tolerance must exceed
    what rounding changes in this training, and stay below what another training would change.

    Args:
        what: How the sentence begins, such as "With seed 0 your plain net reaches".
        claimed: What the learner reports.
        again: What the training gave when it was run once more.
        tolerance: The largest difference allowed.

    Raises:
        CheckFailed: The numbers are further apart than the tolerance.
    """
    sentence = f"{what} {again:.2f}, not {claimed:.2f}: did you train it?"
    require(abs(claimed - again) < tolerance, sentence)


def _is_close(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    other = other.to(one.dtype)
    return one.shape == other.shape and torch.allclose(one, other, rtol=tolerance, atol=tolerance)


def reveal(exercise: str, task: str) -> None:
    """Print a worked solution of a task, with the reasons for its lines as comments.

    Args:
        exercise: Such as `03_convolution`.
        task: The id of its answer cell, which the task's last hint names.

    Raises:
        ValueError: The exercise has no such task.
    """
    place = Path(__file__).resolve().parent.parent / f"solutions/{exercise}/{exercise}.ipynb"
    if not place.is_file():
        print(
            f"The solution of {exercise} is not on this machine. Your teacher has it: the complete "
            "course includes the folder solutions/."
        )
        return
    cells = json.loads(place.read_text("utf-8"))["cells"]
    roles = ((cell, cell["metadata"].get("nbgrader", {})) for cell in cells)
    found = {r["grade_id"]: "".join(c["source"]) for c, r in roles if r.get("solution")}
    if task not in found:
        raise ValueError(f"{exercise} has no task {task!r}: choose from {', '.join(found)}")
    print(re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", found[task], flags=re.MULTILINE))


def without(*names: str) -> AbstractContextManager[None]:
    """Forbid the torch functions with these names inside the block: the task is to write them.

    What counts is which operators run, however the learner's code calls them.

    Args:
        names: Such as "conv2d"; a layer that calls the function counts, too.

    Raises:
        CheckFailed: One was called.
    """
    return forbidding(names)


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of random numbers: always the same at home, a different one in grading."""
    if SESSION.draw is not None:
        seed = seed_of(f"{SESSION.draw}|{seed}")
    return torch.Generator().manual_seed(seed)


def seed_of(text: str) -> int:
    """Return the seed that a text stands for: the same one on any machine."""
    return int.from_bytes(sha256(text.encode()).digest()[:4])


def random_tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normally distributed numbers; the seed is as in `generator`."""
    return torch.randn(*shape, generator=generator(seed))


def require_own_layers(model: Any) -> None:
    """Reject a model that is borrowed, in whole or in part, from the course or from torchvision.

    Args:
        model: An `nn.Module` of the learner's.

    Raises:
        CheckFailed: A module's class, or one that it is derived from, is borrowed.
    """
    for kind, module in _kinds(model):
        require(
            not module.startswith(BORROWED_FROM),
            f"{kind} is borrowed from {module}: write it yourself",
        )


@beside
def _kinds(model: nn.Module) -> list[tuple[str, str]]:
    """Return the name and place of each class in a model, and of each of their base classes."""
    origins = (origin for module in nn.Module.modules(model) for origin in _origins(module))
    return list(dict.fromkeys(origins))


def _origins(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the name and place of a module's classes; for a scripted one, also of the original."""
    if isinstance(module, torch.jit.ScriptModule):
        place = module._c._type().qualified_name().removeprefix("__torch__.")
        yield module.original_name, place.split(".___torch_mangle")[0]
    for kind in type(module).__mro__:
        yield kind.__name__, _place(kind)


def _place(kind: type) -> str:
    """Return where a class was written, according to its code, whatever it was renamed to."""
    if kind.__module__.startswith(BORROWED_FROM):
        return kind.__module__
    codes = (getattr(vars(kind).get(name), "__code__", None) for name in ("forward", "__init__"))
    folders = {part for code in codes if code for part in Path(code.co_filename).parts}
    return next((name for name in BORROWED_FROM if name in folders), kind.__module__)


@beside
def is_module(value: Any, kind: str = "Module") -> bool:
    """Return whether something is a module, or one of torch's kinds, such as "Sequential"."""
    return isinstance(value, getattr(nn, kind))


@beside
def parameters_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters of a model, by name; lazy layers have theirs once they have run."""
    return {name: value.detach() for name, value in nn.Module.named_parameters(model)}


@beside
def buffers_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the buffers of a model, by name, such as running estimates."""
    return dict(nn.Module.named_buffers(model))


@beside
def set_parameters(model: nn.Module, values: Mapping[str, torch.Tensor]) -> None:
    """Write numbers into some of a model's parameters, by name."""
    parameters = dict(nn.Module.named_parameters(model))
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


@beside
def set_mode(model: nn.Module, training: bool) -> None:
    """Put a model into training mode, or into evaluation mode."""
    nn.Module.train(model, training)


@beside
def gradients_of(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor | None = None
) -> dict[str, torch.Tensor | None]:
    """Return the gradient of each parameter of a model, by name; None where there is none.

    Args:
        model: The learner's.
        images: The model's input.
        labels: For a classifier, whose loss is the cross-entropy; without them, the loss is the
            sum of squares.
    """
    output = model(images)
    loss = output.square().sum() if labels is None else F.cross_entropy(output, labels)
    nn.Module.zero_grad(model)
    if loss.requires_grad:
        loss.backward()
    return {name: value.grad for name, value in nn.Module.named_parameters(model)}


class ListedBatches(list[tuple[torch.Tensor, torch.Tensor]]):
    """A list of batches (images, labels) that can be used like the course's `Batches`."""

    @property
    def num_images(self) -> int:
        """The number of images in all the batches."""
        return sum(len(labels) for _, labels in self)

    @property
    def batch_size(self) -> int:
        """The number of images in the largest batch."""
        return max(len(labels) for _, labels in self)

    @property
    def images(self) -> torch.Tensor:
        """The images of all the batches, in one tensor."""
        return torch.cat([images for images, _ in self])

    @property
    def labels(self) -> torch.Tensor:
        """The labels of all the batches, in one tensor."""
        return torch.cat([labels for _, labels in self])


def uneven_batches(sizes: Sequence[int], num_classes: int) -> ListedBatches:
    """Make a tiny training set with four numbers per input; its last batch is the hardest.

    Args:
        sizes: Sizes of the batches.
        num_classes: Number of classes; the labels cycle through them.
    """
    drawing = generator(sum(sizes))
    images = [torch.randn(size, 4, generator=drawing) for size in sizes]
    images[-1] = 3 * images[-1]
    labels = [torch.arange(size) % num_classes for size in sizes]
    return ListedBatches(zip(images, labels, strict=True))


class Stage(NamedTuple):
    """A point on the way through a model, and what it must output there.

    Attributes:
        name: Such as "the second block".
        shape: Shape of the output, batch axis first; (N, 120, 1, 1) also counts as (N, 120).
        question: What to ask if the output has a different shape.
    """

    name: str
    shape: tuple[int, ...]
    question: str


def require_stages(model: Any, images: torch.Tensor, stages: Iterable[Stage]) -> None:
    """Run a model, and compare the shapes on the way with those expected.

    It does not matter how the model is written (as modules or functions, under whatever names):
    every tensor on the way is examined.

    Args:
        model: The learner's `nn.Module`.
        images: (N, C, H, W), float. Choose an N that is not a size in the model.
        stages: The stages, in the order in which the model passes them.

    Raises:
        NotAnswered: The model computes nothing.
        CheckFailed: A stage is missing; the sentence shows the nearest shape found.
    """
    shapes, error = _shapes_on_the_way(model, images)
    if not shapes and error is None:
        raise NotAnswered
    for stage in stages:
        expected = _squeezed(stage.shape)
        if expected not in shapes:
            raise CheckFailed(_missing(stage, shapes, error))
        later = shapes[shapes.index(expected) + 1 :]
        # A tensor with as many numbers is still the same stage, after an activation or a reshape.
        shapes = [shape for shape in later if prod(shape) != prod(expected)]
    if error is not None:
        raise error


class _ShapeLog(TorchFunctionMode):
    """Notes the shape of every tensor that a function of torch returns."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.shapes.append(_squeezed(tuple(result.shape)))
        return result


@beside
def _shapes_on_the_way(
    model: nn.Module, images: torch.Tensor
) -> tuple[list[tuple[int, ...]], Exception | None]:
    """Return the shapes, batch axis first, that a model makes, and the error that stops it."""
    log, failure = _ShapeLog(), None
    try:
        with torch.no_grad(), torch.device(images.device), log:
            model(images)
    except Exception as error:
        failure = error
    return [shape for shape in log.shapes if shape[:1] == (len(images),)], failure


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop sizes of 1 at the end: a 1x1 map of 120 channels is 120 numbers."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _missing(stage: Stage, shapes: list[tuple[int, ...]], error: Exception | None) -> str:
    """Say what was found instead of a stage: the first of the shapes that agree with it most."""

    def agreement(shape: tuple[int, ...]) -> int:
        return sum(have == want for have, want in zip(shape, stage.shape, strict=True))

    alike = [shape for shape in shapes if len(shape) == len(stage.shape)]
    if not alike:
        reason = f" It stops with {type(error).__name__}: {error}" if error else ""
        return f"your model has no output of shape {stage.shape} after {stage.name}.{reason}"
    return (
        f"your output has the shape {max(alike, key=agreement)} after {stage.name}, "
        f"expected {stage.shape}: {stage.question}"
    )
