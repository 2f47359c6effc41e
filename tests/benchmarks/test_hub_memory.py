"""The arithmetic of the hub's size, and how memory is read."""

import mmap
import os
import sys
from pathlib import Path

import pytest
from scripts import load_script

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """benchmarks/hub_memory.py, imported by its path."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return load_script(BENCHMARKS / "hub_memory.py")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_sizes_follow_from_what_was_measured(bench):
    measured = bench.Measured(idle=150, server=160, loaded=300, kernel=640, together=819.2)
    lines = bench.sizing(measured).split("\n")
    assert lines[0] == "- a learner: 819 MB x 1.25 for a second small notebook = 1.00 GB"
    assert lines[1].endswith("30 x 1.00 GB + 2 GB for the system and the hub = 32 GB")
    assert lines[2].endswith("300 x 1.00 GB + 2 GB for the system and the hub = 302 GB")
    assert lines[3] == "- nodes of 64 GB: (64 - 2) / 1.00 = 62 learners a node, 5 nodes for 300"
    assert bench.as_table(measured).rows[-1] == ("a learner altogether, at most", 819)


def test_a_meter_keeps_the_largest(bench, monkeypatch):
    readings = iter([1.0, 5.0, 3.0])
    meter = bench.Meter([7])

    def read(user):
        value = next(readings)
        if value == 3.0:
            meter._over.set()
        return {"server": value, "kernel": 2 * value}

    monkeypatch.setattr(bench, "memory_of", read)
    meter.run()
    assert [meter.mean(name) for name in ("server", "kernel", "together")] == [5.0, 10.0, 15.0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux shows of a process")
def test_memory_of_a_process_is_read(bench):
    before = bench.pss(os.getpid())
    with mmap.mmap(-1, 50 * 2**20) as ballast:  # memory that nothing has used and freed before
        ballast[:: mmap.PAGESIZE] = b"x" * (len(ballast) // mmap.PAGESIZE)
        assert 45 < bench.pss(os.getpid()) - before < 80
    assert bench.pss(2**22 + 1) == 0.0
