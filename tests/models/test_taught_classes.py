"""A lesson shows a class's own source in a cell: it must need nothing that the cell cannot have."""

import builtins
import dis
import importlib
import inspect
import pkgutil

import pytest
from torch import nn

import course_utils.models as package

CELL_IMPORTS = {"torch", "nn", "F", "math"}
"""What a lesson has imported before it shows a class."""

NOT_TAUGHT = {"MemoryEfficientDenseLayer"}
"""Needs torch.utils.checkpoint and context managers; lessons show DenseLayer."""


def taught_classes() -> list[type[nn.Module]]:
    """Return the network classes that the package's own files define."""
    found = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        for value in vars(importlib.import_module(info.name)).values():
            own = inspect.isclass(value) and value.__module__ == info.name
            if own and issubclass(value, nn.Module) and value.__name__ not in NOT_TAUGHT:
                found.append(value)
    return found


def global_names(code) -> set[str]:
    """Return the names that a code object, and those inside it, look up outside themselves."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in OUTSIDE}
    return names.union(*(global_names(c) for c in code.co_consts if inspect.iscode(c)))


OUTSIDE = ("LOAD_GLOBAL", "LOAD_NAME")


@pytest.mark.parametrize("cls", taught_classes(), ids=lambda cls: cls.__name__)
def test_a_taught_class_stands_alone(cls):
    """Imports of a cell, builtins, and what its own package makes public: no more."""
    code = compile(inspect.getsource(cls), cls.__name__, "exec")
    known = CELL_IMPORTS | set(dir(builtins)) | set(vars(cls)) | {"__name__"}
    for name in global_names(code) - known:
        value = getattr(inspect.getmodule(cls), name)
        ours = getattr(value, "__module__", "").startswith(package.__name__)
        assert ours or isinstance(value, dict | tuple), f"{cls.__name__} needs {name}"
        assert not name.startswith("_"), f"{cls.__name__} needs the private {name}"


def test_there_are_as_many_as_the_lessons_count_on():
    assert {
        "MLP",
        "LocallyConnected2d",
        "LeNet5",
        "AlexNet",
        "VGGBlock",
        "MLPConv",
        "Inception",
        "BatchNorm2dByHand",
        "HighwayLinear",
        "HighwayConv2d",
        "BasicBlock",
        "Bottleneck",
        "DenseLayer",
        "DenseBlock",
        "Transition",
    } <= {cls.__name__ for cls in taught_classes()}


@pytest.mark.parametrize("cls", taught_classes(), ids=lambda cls: cls.__name__)
def test_a_taught_class_has_a_docstring_and_typed_methods(cls):
    assert cls.__doc__
    for method in (m for m in vars(cls).values() if inspect.isfunction(m)):
        if method.__name__ == "__annotate__":  # Python's own, from 3.14: the types of attributes
            continue
        assert "return" in method.__annotations__, method.__qualname__
