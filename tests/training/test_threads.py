import os
import subprocess
import sys

import pytest
import torch

from course_utils.training import threads
from course_utils.training.threads import (
    Processors,
    explain,
    find_processors,
    limited_threads,
    recommended_threads,
)


@pytest.mark.parametrize(
    ("processors", "num_processes", "expected"),
    [
        (Processors(logical=2, physical=2), 1, 2),
        (Processors(logical=16, physical=8), 1, 8),  # two on a core
        (Processors(logical=3, physical=8), 1, 3),  # bound to three
        (Processors(logical=64, physical=64, quota=2.5), 1, 2),  # a container
        (Processors(logical=64, physical=64, quota=0.5), 1, 1),
        (Processors(logical=8, physical=8), 2, 4),
        (Processors(logical=2, physical=2), 4, 1),
    ],
)
def test_recommended_threads(processors, num_processes, expected):
    assert recommended_threads(processors, num_processes) == expected


def test_finds_this_machines_processors():
    found = find_processors()
    assert 1 <= found.logical <= os.cpu_count()
    assert 1 <= found.physical <= os.cpu_count()
    assert found.quota is None or found.quota > 0


@pytest.fixture
def eight_threads(monkeypatch):
    """A process of 8 threads on a machine that has 4 cores for it, whatever the tests run on."""
    for name in threads.COUNT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "find_processors", lambda: Processors(4, 4))
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


def test_limit_lasts_as_long_as_its_block(eight_threads):
    with limited_threads() as count:
        assert count == torch.get_num_threads() == 4
    assert torch.get_num_threads() == 8
    with pytest.raises(RuntimeError), limited_threads(2):
        assert torch.get_num_threads() == 2
        raise RuntimeError
    assert torch.get_num_threads() == 8


def test_a_smaller_choice_of_the_users_stands(eight_threads):
    torch.set_num_threads(3)
    with limited_threads() as count:
        assert count == torch.get_num_threads() == 3


@pytest.mark.parametrize("name", threads.COUNT_VARIABLES)
def test_the_environment_wins(eight_threads, monkeypatch, name):
    monkeypatch.setenv(name, "8")
    with limited_threads() as count:
        assert count == torch.get_num_threads() == 8


def test_explains_itself():
    text = explain(Processors(16, 8, quota=4.0), {})
    assert "Training uses 4 threads: this process may use 16 processors on 8 cores" in text
    assert "pays for 4" in text
    assert "Training uses 1 thread:" in explain(Processors(1, 1), {})
    for count in ("1 thread", "3 threads"):
        text = explain(Processors(2, 2), {"OMP_NUM_THREADS": count[0]})
        assert text == f"Training uses {count}: OMP_NUM_THREADS says so."


def test_can_be_asked_before_torch_is_loaded():
    code = (
        "import sys; from course_utils.training import threads; threads.explain(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
