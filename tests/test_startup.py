import os
import subprocess
import sys

import pytest
import torch

from course_utils import startup
from course_utils.startup import (
    COUNT_VARIABLES,
    TUNABLES,
    VARIABLES,
    Processors,
    explain_environment,
    explain_threads,
    find_processors,
    limited_threads,
    recommended_environment,
    recommended_threads,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reads the variables")


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
    for name in COUNT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(startup, "find_processors", lambda: Processors(4, 4))
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


@pytest.mark.parametrize("name", COUNT_VARIABLES)
def test_the_environment_wins(eight_threads, monkeypatch, name):
    monkeypatch.setenv(name, "8")
    with limited_threads() as count:
        assert count == torch.get_num_threads() == 8


@pytest.fixture
def setenv(monkeypatch):
    """A function that leaves these variables, and no other of the course's, in the environment."""

    def set_these(variables):
        for name in (*COUNT_VARIABLES, *VARIABLES):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    set_these({})
    return set_these


def test_explains_the_number_of_threads(setenv, monkeypatch):
    monkeypatch.setattr(startup, "find_processors", lambda: Processors(16, 8, quota=4.0))
    text = explain_threads()
    assert "Training uses 4 threads: this process may use 16 processors on 8 cores" in text
    assert "allows 4" in text
    monkeypatch.setattr(startup, "find_processors", lambda: Processors(1, 1))
    assert "Training uses 1 thread:" in explain_threads()
    for count in ("1 thread", "3 threads"):
        setenv({"OMP_NUM_THREADS": count[0]})
        assert explain_threads() == f"Training uses {count}: OMP_NUM_THREADS says so."


@linux_only
def test_recommends_how_to_wait_and_what_to_keep(setenv):
    advice = recommended_environment()
    assert advice == {
        "GOMP_SPINCOUNT": "10000",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:"
        "glibc.malloc.trim_threshold=1073741824",
    }
    setenv(advice)
    assert recommended_environment() == {}


@linux_only
@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ({"OMP_WAIT_POLICY": "active"}, {"GLIBC_TUNABLES"}),
        ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}, {"GOMP_SPINCOUNT"}),
        ({"MALLOC_TRIM_THRESHOLD_": "65536"}, {"GOMP_SPINCOUNT"}),
    ],
)
def test_what_the_user_has_set_wins(setenv, theirs, left):
    setenv(theirs)
    assert set(recommended_environment()) == left


def test_nothing_is_recommended_where_nothing_reads_it(setenv, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert recommended_environment() == {}
    assert explain_environment() == {
        "waiting threads": "GOMP_SPINCOUNT and the like have no effect on this system.",
        "freed memory": "GLIBC_TUNABLES and the like have no effect on this system.",
    }


@linux_only
def test_explains_what_is_set_and_what_is_not(setenv):
    waiting, memory = explain_environment().values()
    assert "start Python with GOMP_SPINCOUNT=10000 in the env" in waiting
    assert "start Python with GLIBC_TUNABLES=glibc.malloc.hugetlb=1:" in memory
    setenv(recommended_environment())
    waiting, memory = explain_environment().values()
    assert waiting.endswith("give up their processor soon: GOMP_SPINCOUNT says so.")
    assert memory.endswith("is kept for the next one: GLIBC_TUNABLES says so.")
    setenv({"OMP_WAIT_POLICY": "passive", "MALLOC_TRIM_THRESHOLD_": "1"})
    waiting, memory = explain_environment().values()
    assert waiting == "OMP_WAIT_POLICY=passive is set, and stays as it is."
    assert "MALLOC_TRIM_THRESHOLD_=1 is set" in memory


def test_can_be_asked_before_torch_is_loaded():
    code = (
        "import sys; from course_utils import startup; startup.explain_environment(); "
        "startup.explain_threads(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def without_advice():
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


@linux_only
def test_the_c_library_knows_the_tunables(setenv):
    """The loader lists what it knows, with the values in force; older ones have no such list."""
    loaders = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
    loader = next(filter(os.path.exists, loaders), None)
    if loader is None:
        pytest.skip("another C library")
    done = subprocess.run(
        [loader, "--list-tunables"],
        env=os.environ | recommended_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this C library does not list its tunables")
    listed = dict(line.split(":", 1) for line in done.stdout.splitlines())
    for name, value in TUNABLES.items():
        assert int(listed[name].split()[0], 0) == value


CHURN = """
import resource, torch
def step():
    tensors = [torch.ones(8 * 2**20, dtype=torch.uint8) for _ in range(20)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@linux_only
def test_freed_memory_is_kept(setenv):
    """As recommended, what one step frees the next one takes without asking the system.

    In one thread: with glibc 2.43, more threads cost a few faults of their own now and then.
    """
    done = subprocess.run(
        [sys.executable, "-c", CHURN],
        env=os.environ | recommended_environment() | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 100  # a step's 160 MiB have 40,960 small pages


@linux_only
def test_a_program_starts_again_once_and_as_the_same_process():
    code = (
        "import os, sys; print(os.getpid(), len(sys.argv), 'GLIBC_TUNABLES' in os.environ); "
        "sys.stdout.flush(); "
        "from course_utils.startup import start_again_as_recommended; "
        "start_again_as_recommended(); print('goes on')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "one", "two words"],
        env=without_advice(),
        stdout=subprocess.PIPE,
        text=True,
    )
    printed, _ = process.communicate()
    first, second, last = printed.splitlines()
    assert first == f"{process.pid} 3 False"
    assert second == f"{process.pid} 3 True"
    assert last == "goes on"
