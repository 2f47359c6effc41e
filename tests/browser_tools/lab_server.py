"""JupyterLab on a notebook of all widgets, for the browser tests and the latency benchmark."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary
from playwright.sync_api import Page

from course_utils import widgets
from course_utils.widgets.base import CourseWidget

TOKEN = "widget-tests"
KERNEL = "python3"

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

RUN_ALL = """async () => {
    await window.jupyterapp.restored;
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


def all_widgets() -> list[type[CourseWidget]]:
    """Every widget of the course, by the names that the package exports."""
    exported = [getattr(widgets, name) for name in widgets.__all__]
    return [thing for thing in exported if issubclass(thing, CourseWidget)]


def notebook_of_all() -> nbformat.NotebookNode:
    """A notebook whose cells show one widget each, under the name of its class."""
    names = [widget.__name__ for widget in all_widgets()]
    first = "import course_utils.widgets as widgets"
    cells = [first, *(f"{name} = widgets.{name}()\n{name}" for name in names)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Python 3"}
    return notebook


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, at most a minute."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def without_autosave(config: Path) -> None:
    """Save nothing unasked: a notebook that is closed meanwhile brings up an error that blocks."""
    folder = config / "lab/user-settings/@jupyterlab/docmanager-extension"
    folder.mkdir(parents=True)
    (folder / "plugin.jupyterlab-settings").write_text(json.dumps({"autosave": False}))


def private_settings(home: Path) -> dict[str, str]:
    """Folders of the server's own, so that neither reads the other's settings; no news pop-up."""
    config = home / "config" / "labconfig"
    config.mkdir(parents=True)
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "page_config.json").write_text(json.dumps(disabled))
    without_autosave(home / "config")
    (home / "data").mkdir()
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    folders = ("config", "data", "runtime", "ipython")
    return {name: str(home / folder) for name, folder in zip(places, folders, strict=True)}


def stored_notebook() -> nbformat.NotebookNode:
    """The same notebook as a learner finds it: outputs stored, but no view that needs a kernel."""
    notebook = notebook_of_all()
    for cell, widget in zip(notebook.cells[1:], all_widgets(), strict=True):
        bundle, _ = widget()._repr_mimebundle_() or ({}, {})
        data = {key: bundle[key] for key in ("text/plain", "text/html")}
        cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    return notebook


def write_notebooks(root: Path, notary: NotebookNotary) -> None:
    """Write the notebook to be run, and the stored one twice: trusted and not."""
    root.mkdir()
    nbformat.write(notebook_of_all(), root / "widgets.ipynb")
    nbformat.write(stored_notebook(), root / "untrusted.ipynb")
    trusted = stored_notebook()
    trusted.metadata["title"] = "trusted"  # trust goes by content, which must differ therefore
    notary.sign(trusted)
    nbformat.write(trusted, root / "trusted.ipynb")


@contextmanager
def serve(home: Path, **variables: str) -> Iterator[str]:
    """Run a JupyterLab of our own, its files under `home`; give the address of the notebook.

    The variables come into its environment, and so into that of every kernel.
    """
    root, settings = home / "notebooks", private_settings(home)
    with NotebookNotary(data_dir=settings["JUPYTER_DATA_DIR"]) as notary:
        write_notebooks(root, notary)
    port, log = free_port(), home / "lab.log"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.port_retries=0", "--allow-root"]
    environment = os.environ | settings | variables
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, log)
        yield f"http://127.0.0.1:{port}/doc/tree/widgets.ipynb?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(timeout=20)


def open_and_run(page: Page, url: str) -> None:
    """Open the notebook and run it, until every widget is there."""
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.evaluate(RUN_ALL)
    shown = "n => document.querySelectorAll('.cw').length === n"
    page.wait_for_function(shown, arg=len(all_widgets()))
