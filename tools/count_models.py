"""Write `course_utils/inspection/counts.json`: the counts of every architecture.

    python tools/count_models.py

Run it after changing an architecture; a test tells when that is due.
"""

import json
from pathlib import Path

from course_utils import models
from course_utils.inspection import zoo

KEPT = Path(zoo.__file__).with_name("counts.json")


def main() -> None:
    """Count all architectures."""
    lines = [f"{json.dumps(name)}: {json.dumps(zoo.count(name))}" for name in models.names()]
    KEPT.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
