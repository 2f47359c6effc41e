"""The benchmark of a minute: what it writes, and when it fails."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
benchmark = import_module("fashion_mnist_60s")


@pytest.fixture
def run_with(monkeypatch, tmp_path):
    """Run the command with made-up results; return the file that it writes."""

    def run(accuracy, seconds):
        monkeypatch.setattr(benchmark, "run", lambda seed, root: (seed, accuracy, seconds, 70.0))
        file = tmp_path / "results.md"
        words = ["--root", str(tmp_path), "--seeds", "0", "1", "--results", str(file)]
        benchmark.main(words)
        return file

    return run


def test_writes_a_section(run_with):
    text = run_with(0.9111, 30.04).read_text()
    assert "| 1 | 91.11 | 30.0 | 70.0 |" in text
    assert "91.11 % on the 10,000 test images, mean over 2 seeds; the slowest took 30 s" in text
    assert benchmark.CODE in text


@pytest.mark.parametrize(("accuracy", "seconds"), [(0.899, 30.0), (0.92, 61.0)])
def test_a_missed_target_is_a_failure(run_with, accuracy, seconds):
    with pytest.raises(SystemExit, match="the target is 90% in 60 s"):
        run_with(accuracy, seconds)
