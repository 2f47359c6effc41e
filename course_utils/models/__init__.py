"""Every architecture of the course: one file per family, one table to build them from.

`build("resnet20", in_channels=3, num_classes=10)` builds a model; `names()` lists them all.
`pretrained("settled_resnet20")` returns one that the course has trained, `anonymous` some whose
histories are yours to find out.
"""

from course_utils.models.anonymous import HISTORIES, anonymous, dealt
from course_utils.models.pretrained import pretrained, pretrained_names
from course_utils.models.registry import MODELS, ModelEntry, build, input_shape, names

__all__ = [
    "HISTORIES",
    "MODELS",
    "ModelEntry",
    "anonymous",
    "build",
    "dealt",
    "input_shape",
    "names",
    "pretrained",
    "pretrained_names",
]
