"""Kernels that start at once: forks of a process that has loaded PyTorch.

    pytest -p warm_kernels --nbval --nbval-kernel-name warm notebooks

or, for some tests, `with warm_kernels() as name`.

Loading PyTorch, matplotlib and IPython takes longer than many notebooks compute. So pytest
starts a *stem*, which loads them and nothing of the course, and then waits. A kernel is a fork of
the stem: a process of its own, in which nothing has been computed yet. What Jupyter starts, ends
and interrupts is a *stand-in* that hands everything on to the fork.

Where forking is not safe, which is everywhere but on Linux, `warm` is an ordinary kernel.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

LOADED = (
    "anywidget",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "ipywidgets",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "PIL.Image",
    "torch._dynamo",  # which the first optimiser loads
    "torch.utils.data",
)


def pytest_configure(config):
    """Offer the kernel `warm` to all tests: those of this process, and of those that it starts."""
    if not hasattr(config, "workerinput"):
        offering = warm_kernels()
        offering.__enter__()
        config.add_cleanup(lambda: offering.__exit__(None, None, None))


@contextmanager
def warm_kernels():
    """Let Jupyter find the kernel `warm`, until the end of the block."""
    from unittest.mock import patch

    with TemporaryDirectory(prefix="warm-") as folder, stem_at(f"{folder}/stem") as command:
        place = Path(folder, "kernels", "warm")
        place.mkdir(parents=True)
        words = {"argv": command, "display_name": "Python 3", "language": "python"}
        (place / "kernel.json").write_text(json.dumps(words))
        with patch.dict(os.environ, JUPYTER_PATH=folder):
            yield "warm"


@contextmanager
def stem_at(address):
    """Run the stem, until the end of the block; give the command that starts a kernel."""
    if sys.platform != "linux":
        yield [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        command = [sys.executable, "-P", __file__, "stem", str(listener.fileno())]
        stem = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
    try:
        yield [sys.executable, "-I", "-S", __file__, "stand-in", address, "{connection_file}"]
    finally:
        stem.communicate()  # when its input ends, it does


# --- The stem --------------------------------------------------------------------------------


def run_stem(listener):
    """Load, then fork a kernel off for each stand-in that asks, until there is no more input."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as kernels do
    for name in LOADED:
        importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork takes one thread along"
    gc.freeze()
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            become_kernel(connection)
        connection.close()
        bury()
    bury()


def bury():
    """Take note of the kernels that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def become_kernel(connection):
    """Run what Jupyter's launcher runs, in the place of the stand-in."""
    import numpy as np
    from ipykernel import kernelapp

    _, (folder, *streams), _, _ = socket.recv_fds(connection, 1, 4)
    asked = json.loads(connection.makefile().readline())
    os.fchdir(folder)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(asked["variables"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.setsid()
    np.random.seed()  # noqa: NPY002, the one that each fork would share
    connection.send(b"%d\n" % os.getpid())
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    sys.argv = ["ipykernel_launcher", "-f", asked["connection file"]]
    kernelapp.launch_new_instance()
    sys.exit()


def end_with(connection):
    """End this process as soon as the stand-in has ended."""
    connection.recv(1)
    os._exit(1)


# --- The stand-in ----------------------------------------------------------------------------


def stand_in(address, file):
    """Ask for a kernel, hand interrupts on to it, and end with it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    variables = {name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"}
    asked = {"variables": variables, "connection file": file}
    socket.send_fds(connection, [b"\n"], [os.open(".", os.O_RDONLY), 0, 1, 2])
    connection.sendall(json.dumps(asked).encode() + b"\n")
    kernel = int(connection.makefile().readline())
    signal.signal(signal.SIGINT, lambda *_: os.kill(kernel, signal.SIGINT))
    connection.recv(1)


if __name__ == "__main__":
    if sys.argv[1] == "stem":
        run_stem(socket.socket(fileno=int(sys.argv[2])))
    else:
        stand_in(*sys.argv[2:])
