"""`python -m course_utils`: see `course_utils.cli`."""

import sys

from course_utils.cli import main
from course_utils.startup import start_again_as_recommended

if sys.argv[1:2] == ["train"]:
    start_again_as_recommended()
sys.exit(main())
