"""Rules that hold for every test."""

import os
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Tests are no package: what the tests of several folders share is put where they can import it.
for folder in ("browser_tools", "shared"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
pytest.register_assert_rewrite("controls", "widget_figures", "lab_page")
pytest_plugins = ["programs"]

NO_SKIPS = bool(os.environ.get("COURSE_NO_SKIPS"))
BROWSER = pytest.StashKey["Browser"]()

# Tests run side by side, one process a core: threads within them only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes long, so that no process waits for another one at the end.

    That is what has a group: it needs servers, kernels or a browser.
    """
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers():
    """Make -n auto one process more than there are cores: many tests wait for a server."""
    return (yield) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a group of tests, or else a file, to one process: what they share is made once."""
    from xdist.scheduler import LoadGroupScheduling

    class ByGroupOrFile(LoadGroupScheduling):
        def _split_scope(self, nodeid):
            return super()._split_scope(nodeid).partition("::")[0]

    config.option.loadscopereorder = False  # else those with most tests go first, the quick ones
    return ByGroupOrFile(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_runtest_setup(item):
    """Stop where tests that share a page or a kernel would be spread over several processes."""
    spread = "PYTEST_XDIST_WORKER" in os.environ and "@" not in item.nodeid
    if spread and item.get_closest_marker("xdist_group"):
        pytest.fail("groups of tests have no effect: run pytest -n with --dist loadgroup")


def fail_if_skipped(report):
    """Turn a skip into a failure where the machine is meant to have all that the tests need."""
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, although COURSE_NO_SKIPS is set: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = fail_if_skipped((yield))
    running = item.config.stash.get(BROWSER, None)
    if report.failed and running and "browser" in getattr(item, "fixturenames", ()):
        from kept_failures import keep

        report.sections.append(("Kept of the failure", keep(running, item.nodeid)))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return fail_if_skipped((yield))


# A process drives one Chromium: Playwright cannot be started in it twice.
@pytest.fixture(scope="session")
def browser(pytestconfig, chromium) -> Iterator["Browser"]:
    """Chromium, started once for the tests of all folders."""
    from browser_pages import launched

    with launched(chromium) as running:
        pytestconfig.stash[BROWSER] = running
        yield running
        del pytestconfig.stash[BROWSER]


@pytest.fixture(scope="session")
def warm_kernel() -> Iterator[str]:
    """The name of a kernel that starts at once; who asks is in the group "warm kernels"."""
    from warm_kernels import warm_kernels

    with warm_kernels() as name:
        yield name


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The text of axe-core, as its package ships it."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
