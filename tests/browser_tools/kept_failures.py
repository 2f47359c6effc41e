"""What is kept of a failed browser test: a picture of each open page, and its console's log."""

import os
import re
from pathlib import Path

from browser_pages import notes_of
from playwright.sync_api import Browser, Error

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "COURSE_TEST_RESULTS"
LONGEST = 10_000  # milliseconds for one picture; a page that hangs must not hang the run


def results_folder() -> Path:
    """Return the folder that the variable names, or ``test-results`` beside the tests."""
    return Path(os.environ.get(VARIABLE) or ROOT / "test-results")


def keep(browser: Browser, name: str) -> str:
    """Write pictures and logs of all open pages; return a text that says where they are.

    Args:
        browser: Whose pages are kept.
        name: The failed test's; it becomes the name of a folder.
    """
    folder = results_folder() / re.sub(r"[^\w.-]+", "_", name).strip("_")[-150:]
    folder.mkdir(parents=True, exist_ok=True)
    said = []
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages, 1):
        picture, log = folder / f"page-{number}.png", folder / f"page-{number}.log"
        log.write_text("\n".join([page.url, *notes_of(page).console, ""]), encoding="utf-8")
        said.append(str(log))
        try:
            page.screenshot(path=picture, timeout=LONGEST)
            said.append(str(picture))
        except Error as error:
            said.append(f"no picture of {page.url}: {error}")
    return "\n".join(said) or "no page was open"
