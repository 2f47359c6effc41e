"""Scripts that belong to no package, such as those of tools/, imported by their path."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load_script(place: Path | str, name: str | None = None) -> ModuleType:
    """Import a script.

    Args:
        place: Its path, from the root of the course or from anywhere.
        name: Under which it is known afterwards; by default that of the file.
    """
    place = ROOT / place
    spec = importlib.util.spec_from_file_location(name or place.stem, place)
    assert spec is not None and spec.loader is not None, f"{place} is no Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
