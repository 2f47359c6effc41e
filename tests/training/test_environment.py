import os
import subprocess
import sys

import pytest

from course_utils.training.environment import (
    TUNABLES,
    VARIABLES,
    explain_memory,
    explain_waiting,
    recommended_environment,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reads the variables")


@linux_only
def test_recommends_how_to_wait_and_what_to_keep():
    advice = recommended_environment({})
    assert advice == {
        "GOMP_SPINCOUNT": "10000",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:"
        "glibc.malloc.trim_threshold=1073741824",
    }
    assert recommended_environment(advice) == {}


@linux_only
@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ({"OMP_WAIT_POLICY": "active"}, {"GLIBC_TUNABLES"}),
        ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}, {"GOMP_SPINCOUNT"}),
        ({"MALLOC_TRIM_THRESHOLD_": "65536"}, {"GOMP_SPINCOUNT"}),
    ],
)
def test_what_the_user_has_set_wins(theirs, left):
    assert set(recommended_environment(theirs)) == left


def test_nothing_is_recommended_where_nothing_reads_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert recommended_environment({}) == {}
    assert explain_waiting({}) == "OMP_WAIT_POLICY and the like mean nothing on this system."
    assert explain_memory({}) == "GLIBC_TUNABLES and the like mean nothing on this system."


@linux_only
def test_explains_what_is_set_and_what_is_not():
    passive, trimming = {"OMP_WAIT_POLICY": "passive"}, {"MALLOC_TRIM_THRESHOLD_": "1"}
    assert explain_waiting(passive) == "OMP_WAIT_POLICY=passive is set, and is left as it is."
    assert "MALLOC_TRIM_THRESHOLD_=1 is set" in explain_memory(trimming)
    advice = recommended_environment({})
    assert explain_waiting(advice).endswith(
        "give their processor away soon: GOMP_SPINCOUNT says so."
    )
    assert explain_memory(advice).endswith("is kept for the next one: GLIBC_TUNABLES says so.")
    assert "start Python with GOMP_SPINCOUNT=10000 in the env" in explain_waiting({})
    assert "start Python with GLIBC_TUNABLES=glibc.malloc.hugetlb=1:" in explain_memory({})


def test_can_be_asked_before_torch_is_loaded():
    code = (
        "import sys; from course_utils.training import environment; "
        "environment.explain_memory(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def without_advice():
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


@linux_only
def test_the_c_library_knows_the_tunables():
    """The loader lists what it knows, with the values in force; older ones have no such list."""
    loaders = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
    loader = next(filter(os.path.exists, loaders), None)
    if loader is None:
        pytest.skip("another C library")
    done = subprocess.run(
        [loader, "--list-tunables"],
        env=without_advice() | recommended_environment({}),
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
def test_freed_memory_is_kept():
    """As recommended, what one step frees the next one takes without asking the system.

    In one thread: with glibc 2.43, more threads cost a few faults of their own now and then.
    """
    done = subprocess.run(
        [sys.executable, "-c", CHURN],
        env=without_advice() | recommended_environment({}) | {"OMP_NUM_THREADS": "1"},
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
        "from course_utils.training.environment import start_again_as_recommended; "
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
