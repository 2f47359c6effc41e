"""The rule that CI relies on: where COURSE_NO_SKIPS is set, a skipped test fails the run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "in a test": "import pytest\ndef test_a():\n    pytest.skip('no GPU')\n",
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='no GPU')\ndef test_a(): pass\n",
    "a module": "import pytest\npytest.skip('no GPU', allow_module_level=True)\n",
}


@pytest.mark.parametrize("how", SKIPS)
@pytest.mark.parametrize("strict", [True, False])
def test_a_skip_fails_only_where_it_must_not_happen(tmp_path, how, strict):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPS[how] + "def test_passes(): pass\n")
    env = {k: v for k, v in os.environ.items() if k != "COURSE_NO_SKIPS" and "PYTEST" not in k}
    env |= {"COURSE_NO_SKIPS": "1"} if strict else {}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if strict:
        assert done.returncode != 0
        assert "no GPU" in done.stdout
    else:
        assert done.returncode in (0, 5)  # 5: a module that skips itself leaves no test to run
