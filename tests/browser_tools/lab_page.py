"""JupyterLab in a page: what a learner does there, and what the tests ask about it."""

import json
from dataclasses import dataclass, field
from typing import Any

from browser_pages import Notes
from playwright.sync_api import Locator, Page


def in_panel(body: str) -> str:
    """Return a function of JavaScript that does this with the notebook in front, `panel`."""
    start = "const app = window.jupyterapp, panel = app.shell.currentWidget;"
    return f"async (given) => {{ {start} {body} }}"


OPEN = """async (path) => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
    await panel.context.ready;
    await panel.sessionContext.ready;
    app.shell.activateById(panel.id);
    await panel.revealed;
}"""

CLOSE = in_panel("""
    await panel.sessionContext.shutdown();
    panel.context.model.dirty = false;  // or else closing asks what to do with the changes
    panel.close();
""")

# Only the model is sure to know: what is far from the window has no element yet.
CELLS = in_panel("""
    return [...panel.content.model.cells].map((cell) => ({
        kind: cell.type,
        source: cell.sharedModel.getSource(),
        count: cell.executionCount ?? null,
        outputs: cell.type === "code" ? cell.outputs.toJSON() : [],
    }));
""")

SELECT = in_panel("""
    panel.content.activeCellIndex = given;
    await panel.content.scrollToItem(given, "center");
""")

WRITE = in_panel("panel.content.model.cells.get(given[0]).sharedModel.setSource(given[1]);")

KERNEL_IS = in_panel("""
    const kernel = panel.sessionContext.session?.kernel;
    return kernel?.connectionStatus === "connected" && kernel.status === given;
""")

DO = """async ([command, args]) => {
    const done = await window.jupyterapp.commands.execute(command, args);
    return done === true;
}"""

RUN_CODE = """async (code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const request = kernel.requestExecute({ code, store_history: false });
    let printed = "";
    request.onIOPub = ({ header, content }) => {
        printed += header.msg_type === "stream" ? content.text : (content.traceback ?? []).join("");
    };
    await request.done;
    return printed.trim();
}"""


@dataclass
class Cell:
    """One cell as the notebook's model holds it."""

    kind: str
    source: str
    count: int | None
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(str(out["text"]) for out in self.outputs if out["output_type"] == "stream")

    @property
    def errors(self) -> list[str]:
        """The errors among its outputs."""
        return [f"{o['ename']}: {o['evalue']}" for o in self.outputs if o["output_type"] == "error"]


@dataclass
class LabPage:
    """A page with JupyterLab in it, one notebook of it in front."""

    page: Page
    notes: Notes

    def do(self, command: str, **arguments: Any) -> Any:
        """Execute one of JupyterLab's own commands to its end, as its menus and keys do."""
        return self.page.evaluate(DO, [command, arguments])

    def start(self, command: str) -> None:
        """Execute a command without waiting for its end."""
        self.page.evaluate("(command) => void window.jupyterapp.commands.execute(command)", command)

    def open(self, path: str) -> None:
        """Open a notebook, until its kernel is there."""
        self.page.evaluate(OPEN, path)
        self.wait_for_kernel("idle")

    def close(self) -> None:
        """End the notebook's kernel, and close it without saving."""
        self.page.evaluate(CLOSE)

    def wait_for_kernel(self, status: str) -> None:
        """Wait until the kernel is connected and says that it is ``idle``, or ``busy``."""
        self.page.wait_for_function(KERNEL_IS, arg=status)

    def run_all(self) -> bool:
        """Run all cells to the end; return whether JupyterLab says that all of them ran."""
        return bool(self.do("notebook:run-all-cells"))

    def select(self, index: int) -> Locator:
        """Make a cell the active one and scroll to it; return its element."""
        self.page.evaluate(SELECT, index)
        cell = self.front.locator(f".jp-Cell[data-windowed-list-index='{index}']")
        cell.wait_for()
        return cell

    def run(self, index: int) -> Cell:
        """Run one cell to its end; return what became of it."""
        self.select(index)
        self.do("notebook:run-cell")
        return self.cells()[index]

    def write(self, index: int, source: str) -> None:
        """Replace a cell's source."""
        self.page.evaluate(WRITE, [index, source])

    def cells(self) -> list[Cell]:
        """Return the cells as the notebook's model holds them."""
        return [Cell(**cell) for cell in self.page.evaluate(CELLS)]

    def place_of(self, words: str) -> int:
        """Return the index of the only code cell whose source holds these words."""
        found = [i for i, c in enumerate(self.cells()) if c.kind == "code" and words in c.source]
        assert len(found) == 1, f"{len(found)} code cells hold {words!r}"
        return found[0]

    def kernel(self, code: str) -> str:
        """Run Python in the notebook's kernel, beside its cells; return what it prints."""
        return str(self.page.evaluate(RUN_CODE, code))

    def ask(self, expression: str) -> Any:
        """Return the value of a Python expression in the kernel, by way of JSON."""
        return json.loads(self.kernel(f"import json; print(json.dumps({expression}))"))

    @property
    def front(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:visible")
