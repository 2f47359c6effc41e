"""The old address of `course_utils.checks` and of the package `convnet_grader`.

Exercises released before version 0.2 and settings of nbgrader saved before it name what they need
by it. They get the very same objects, and no warning: a learner can do nothing about it.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from course_utils import checks

__all__ = ["checks"]


class _Moved(MetaPathFinder, Loader):
    """A finder that gives the grader's modules under their old names, once they are asked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname.startswith(f"{__name__}.") else None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.removeprefix(__name__)
        sys.modules[module.__name__] = import_module(f"convnet_grader{name}")


sys.modules[f"{__name__}.checks"] = checks
sys.meta_path.append(_Moved())
