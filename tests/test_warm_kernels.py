"""A warm kernel is an ordinary one in all but its start: nothing of another notebook is in it."""

import json
import os
import sys

import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from processes import left_over

pytestmark = [
    pytest.mark.xdist_group("warm kernels"),
    pytest.mark.skipif(sys.platform != "linux", reason="ordinary kernels but on Linux"),
]
FACTS = """
import json, os, sys
print(json.dumps([os.getpid(), os.getcwd(), os.environ.get("OF_THE_TEST"), "torch" in sys.modules,
    any(name.startswith("course_utils") for name in sys.modules), "mine" in globals()]))
mine = 1
"""


def printed(client, code):
    """Run code in a kernel; return what it prints, or the name of its error."""
    said = []

    def listen(message):
        content = message["content"]
        said.append(content.get("text", content.get("ename", "")))

    client.execute_interactive(code, output_hook=listen, timeout=120)
    return "".join(said)


@pytest.fixture
def start(warm_kernel, tmp_path):
    """A function that starts a kernel in a folder of the test; all are ended after it."""
    started = []

    def call():
        started.append(start_new_kernel(120, warm_kernel, cwd=str(tmp_path)))
        return started[-1]

    yield call
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_each_is_a_process_with_nothing_in_it_but_libraries(start, tmp_path, monkeypatch):
    monkeypatch.setenv("OF_THE_TEST", "handed on")
    (_, one), (_, other) = start(), start()
    facts = [json.loads(printed(client, FACTS)) for client in (one, other)]
    assert len({os.getpid(), *(pid for pid, *_ in facts)}) == 3
    assert [rest for _, *rest in facts] == [[str(tmp_path), "handed on", True, False, False]] * 2


def test_it_is_interrupted_and_it_ends_with_its_stand_in(start):
    manager, client = start()
    kernel = psutil.Process(json.loads(printed(client, FACTS))[0])
    request = client.execute("import time\nprint('runs', flush=True)\ntime.sleep(600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass  # an interrupt before the cell's own code runs would end no cell
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != request:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    manager.provisioner.process.kill()
    assert not left_over([kernel])
