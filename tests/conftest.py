"""Rules that hold for every test."""

import os

import pytest
import torch

NO_SKIPS = bool(os.environ.get("COURSE_NO_SKIPS"))

# Tests run side by side, one process a core: threads within them only get in each other's way.
torch.set_num_threads(1)


def fail_if_skipped(report):
    """Turn a skip into a failure where the machine is meant to have all that the tests need."""
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, although COURSE_NO_SKIPS is set: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return fail_if_skipped((yield))
