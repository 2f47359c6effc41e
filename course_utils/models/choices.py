"""What a builder of models accepts: its annotations, checked when it is called."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from course_utils.arguments import flag, number, one_of, shown, whole

__all__ = ["MOST", "MOST_PARAMETERS", "Share", "checked"]

Arguments = ParamSpec("Arguments")
Model = TypeVar("Model", bound=nn.Module)

Share = Annotated[float, "from 0 to 1"]
"""A share of a whole, such as the hidden units that dropout switches off."""

MOST = 100_000
"""The largest whole number that a builder takes; no layer of the course is as wide."""

MOST_PARAMETERS = 10**9
"""The most parameters that a builder makes: 4 GB in float32, seven times VGG-19."""


def checked(builder: Callable[Arguments, Model]) -> Callable[Arguments, Model]:
    """Make a builder refuse what its annotations do not allow, and a net that fills the memory.

    `int` stands for a whole number of at least 1, `Share` for a number from 0 to 1, `Literal` for
    one of a few values, and `tuple[int, ...]` for several whole numbers.

    Args:
        builder: A function from counts and switches to a model, with an annotation for each.

    Returns:
        The same function, which raises a `ValueError` with the argument's name and value.
    """
    signature = inspect.signature(builder)
    hints = get_type_hints(builder, include_extras=True)

    @functools.wraps(builder)
    def build(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Model:
        call = signature.bind(*args, **kwargs)
        for label, value in call.arguments.items():
            call.arguments[label] = _fit(label, value, hints[label])
        with _bounded(builder.__name__):
            return builder(*call.args, **call.kwargs)

    return build


def _fit(label: str, value: Any, hint: Any) -> Any:
    """Return a value in the form that its annotation says."""
    if hint is bool:
        return flag(label, value)
    if hint is int:
        return whole(label, value, most=MOST)
    if get_origin(hint) is Literal:
        return one_of(label, value, get_args(hint))
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple | list):
            raise ValueError(f"{label} = {shown(value)} is not a tuple: give one, such as (256,)")
        return tuple(whole(label, item, most=MOST) for item in value)
    return number(label, value, 0, 1) if hint is Share else number(label, value)


@contextmanager
def _bounded(name: str) -> Iterator[None]:
    """Stop building a net before its parameters fill the memory."""
    total = 0

    def count(module: nn.Module, key: str, parameter: nn.Parameter) -> None:
        nonlocal total
        total += parameter.numel()
        if total > MOST_PARAMETERS:
            raise ValueError(
                f"{name} would have more than {MOST_PARAMETERS:,} parameters: {ADVICE}"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except RuntimeError as error:  # of torch, about a tensor that is larger than the memory
        raise ValueError(f"{name} cannot be built: {error}; {ADVICE}") from error
    finally:
        hook.remove()


ADVICE = "choose fewer layers, channels or units"
