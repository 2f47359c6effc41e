"""A browser test that fails leaves a picture of its page, and what was on the console."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

FAILS = """
from browser_pages import watched

def test_fails(browser):
    page = browser.new_context().new_page()
    watched(page.context)
    page.set_content("<h1>What the learner saw</h1>")
    page.evaluate("console.error('what went wrong')")
    page.wait_for_timeout(100)
    assert False
"""


def test_picture_and_log_are_kept_and_named(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text(FAILS)
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    environment |= {"COURSE_TEST_RESULTS": str(tmp_path / "kept"), "PYTHONPATH": str(TESTS)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest"]
    done = subprocess.run(
        [*command, str(tmp_path)], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout
    folder = tmp_path / "kept" / "test_page.py_test_fails"
    picture, log = folder / "page-1.png", folder / "page-1.log"
    assert str(picture) in done.stdout and str(log) in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "error: what went wrong" in log.read_text()
