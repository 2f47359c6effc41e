"""Trained nets that come with the course, so that a lesson can look into one that is done learning.

    from course_utils import models
    net = models.pretrained("settled_resnet20")

Each is the first run of a recorded experiment of the same name (`course_utils/records`), which says
how it was trained, on what images, and how well it classifies.
"""

import hashlib
import json
from importlib.resources import files

from safetensors.torch import load
from torch import nn

from course_utils.models.registry import build

__all__ = ["RECORDS", "pretrained", "pretrained_names"]

RECORDS = files("course_utils").joinpath("records")
SUFFIX = ".safetensors"


def pretrained_names() -> list[str]:
    """Return the names of all trained nets."""
    found = (entry.name for entry in RECORDS.iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def pretrained(name: str) -> nn.Module:
    """Return a trained net, on the CPU and in evaluation mode.

    The weights are kept in 16 bits and come back in 32.

    Args:
        name: One of `pretrained_names()`.

    Raises:
        ValueError: There is no such net, or its file is not the one that was shipped.
    """
    if name not in pretrained_names():
        raise ValueError(f"there is no trained net {name!r}: choose from {pretrained_names()}")
    packed = RECORDS.joinpath(name + SUFFIX).read_bytes()
    about = json.loads(RECORDS.joinpath(f"{name}.json").read_text("utf-8"))["weights"]
    if hashlib.sha256(packed).hexdigest() != about["sha256"]:
        raise ValueError(
            f"the weights of {name!r} are damaged: install the course again, or restore the file "
            "with `git checkout`"
        )
    model = build(about["model"], **about["switches"])
    state = load(packed)
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return model.eval()
