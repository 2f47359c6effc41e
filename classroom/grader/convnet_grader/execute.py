"""nbgrader's step that runs a notebook, with the student's code in the sandbox.

It differs from nbgrader's own in what happens when something goes badly wrong: the points that
were earned before stay, what could not be run gets none, and a note for the teacher says why.
"""

import ast
import asyncio
import queue
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Bool, Float, Integer, List, Unicode

from convnet_grader.kernel import Watchdog, student_kernel
from convnet_grader.sandbox import GUARD, Limits

__all__ = ["NOTES", "SandboxedExecute", "modules_of_checks", "name_of", "size_of"]

NOTES = "grading_notes"
"""Where, in the metadata of a graded notebook, the notes for the teacher are."""
PATIENCE = 15  # seconds that an interrupted kernel has to come back
SPOKEN = ("stream", "display_data", "execute_result", "update_display_data", "error")
SILENT = ("status", "execute_input", "clear_output")


class SandboxedExecute(Execute):
    """A step that runs each submission in a kernel of its own, in the sandbox."""

    trusted = Bool(False, help="Run notebooks of people you trust without the sandbox.").tag(
        config=True
    )
    seconds = Float(Limits.seconds, help="What a submission may take.").tag(config=True)
    memory_mb = Integer(Limits.memory_mb, help="What a submission may use.").tag(config=True)
    processes = Integer(Limits.processes, help="That may run at a time.").tag(config=True)
    disk_mb = Integer(Limits.disk_mb, help="What a submission may write.").tag(config=True)
    output_kb = Integer(Limits.output_kb, help="What it may print, in all.").tag(config=True)
    runs = Unicode("", help="Where throw-away folders are made.").tag(config=True)
    hidden = List(Unicode(), help="Folders that no student's code may see.").tag(config=True)

    iopub_timeout = Integer(15)  # seconds that an output may be late, on a busy machine
    raise_on_iopub_timeout = Bool(False)  # a lost output costs the points of its own cell

    @property
    def limits(self) -> Limits:
        """What one submission may use."""
        return Limits(**{limit.name: getattr(self, limit.name) for limit in fields(Limits)})

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> Any:
        """Run one notebook.

        Raises:
            SandboxUnavailable: There is no sandbox here, and the notebook is not trusted.
        """
        self._student = resources["nbgrader"]["student"]
        self._notes: list[str] = []
        self._needed = modules_of_checks(nb)
        self._printed, self._over, self._interrupted = 0, False, False
        self._limits = self.limits
        with student_kernel(
            Path(resources["metadata"]["path"]),
            self._student,
            self._limits,
            trusted=self.trusted,
            runs=self.runs,
            hidden=[Path(path) for path in self.hidden],
        ) as (kernel, self._watchdog):
            nb, resources = self._run(nb, resources, kernel)
        nb.metadata[NOTES] = self._notes
        return nb, resources

    _watchdog: Watchdog

    def _run(self, nb: NotebookNode, resources: dict[str, Any], kernel: Any) -> Any:
        """Let nbgrader do its work, and end the kernel without asking it."""
        try:
            return super().preprocess(nb, resources, km=kernel)
        finally:
            if self.kc is not None:
                self.shutdown_kernel = "immediate"
                self._cleanup_kernel()

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *options: Any, **named: Any
    ) -> NotebookNode:
        """Run a cell; after the end of the kernel, write down that it did not run."""
        is_code = cell.cell_type == "code" and bool(cell.source.strip())
        if self._over:
            return self._not_run(cell) if is_code else cell
        try:
            if is_code:
                await self._require_answer()
                await self._guard(cell, cell_index)
            return await super().async_execute_cell(cell, cell_index, *options, **named)
        except Exception as error:  # what a hostile kernel sends may be anything
            self._over = True
            self._notes.append(f"{self._cause(error)}, in {name_of(cell, cell_index)}")
            self._watchdog.reason = self._watchdog.reason or "is over"
            return self._not_run(cell)

    execute_cell = run_sync(async_execute_cell)

    async def _require_answer(self) -> None:
        """After an interrupt, see whether the kernel is there again.

        Raises:
            asyncio.TimeoutError: It is still busy.
        """
        if self._interrupted:
            self._interrupted = False
            await asyncio.wait_for(self._reply_to(self.kc.kernel_info()), PATIENCE)

    async def _reply_to(self, question: str) -> dict[str, Any]:
        """Return what the kernel replies to a message.

        Raises:
            DeadKernelError: It has ended.
        """
        while True:
            try:
                reply = await self.kc.get_shell_msg(timeout=1)
            except queue.Empty:
                if not await self.km.is_alive():
                    raise DeadKernelError("Kernel died") from None
            else:
                if reply["parent_header"].get("msg_id") == question:
                    return dict(reply["content"])

    async def _guard(self, cell: NotebookNode, cell_index: int) -> None:
        """Undo what the cells so far did to Python, IPython and the checks, and note it.

        Raises:
            asyncio.TimeoutError: The kernel is busy with something else.
        """
        run = f"__import__('runpy').run_path({str(GUARD)!r})"
        look = f"{run}['look']({self._student!r}, {self._needed})"
        question = self.kc.execute(
            "", silent=True, store_history=False, user_expressions={"found": look}
        )
        content = await asyncio.wait_for(self._reply_to(question), self.timeout)
        answer = content.get("user_expressions", {}).get("found", {})
        try:
            found = ast.literal_eval(answer["data"]["text/plain"])
        except (KeyError, TypeError, ValueError, SyntaxError):
            found = ["keeps the grader from looking at the checks"]
        where = f", before {name_of(cell, cell_index)}"
        self._notes += [f"{str(each)[:200]}{where}" for each in list(found)[:20]]

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Write an error down that IPython keeps to itself, as it does with a debugger's."""
        content = (exec_reply or {}).get("content", {})
        shown = any(output.output_type == "error" for output in cell.outputs)
        if content.get("status") == "error" and not shown:
            name, value = str(content.get("ename", "Error")), str(content.get("evalue", ""))
            cell.outputs.append(
                new_output("error", ename=name, evalue=value, traceback=[f"{name}: {value}"])
            )
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    def _cause(self, error: Exception) -> str:
        """Say what ended the kernel."""
        if self._watchdog.reason:
            return self._watchdog.reason
        if isinstance(error, DeadKernelError):
            return "ended Python"
        if isinstance(error, asyncio.TimeoutError):
            return "could not be interrupted"
        return f"confused the grader ({type(error).__name__}: {error})"[:200]

    def _not_run(self, cell: NotebookNode) -> NotebookNode:
        """Give a cell an error in place of a result."""
        sentence = f"not run: the notebook {self._notes[-1]}"
        cell.outputs = [
            new_output("error", ename="NotRun", evalue=sentence, traceback=[f"NotRun: {sentence}"])
        ]
        return cell

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> Any:
        """Interrupt a cell that takes too long, and note it."""
        self._interrupted = True
        name = name_of(cell, None) if cell else "a cell"
        self._notes.append(f"took longer than {timeout} seconds, in {name}")
        return await super()._async_handle_timeout(timeout, cell)

    def process_message(self, msg: Any, cell: NotebookNode, cell_index: int) -> Any:
        """Take an output over, as long as they are not too many; widgets are left out."""
        if msg["msg_type"] in SPOKEN and not self._fits(msg["content"], cell, cell_index):
            return None
        if msg["msg_type"] in (*SPOKEN, *SILENT):
            return super().process_message(msg, cell, cell_index)
        return None

    def _fits(self, content: dict[str, Any], cell: NotebookNode, cell_index: int) -> bool:
        """Count an output; stop a cell that prints too much, once."""
        most = self._limits.output_kb * 1024
        before, self._printed = self._printed, self._printed + size_of(content)
        if before <= most < self._printed:
            sentence = f"printed more than {self._limits.output_kb} kB"
            self._notes.append(f"{sentence}, in {name_of(cell, cell_index)}")
            asyncio.ensure_future(self.km.interrupt_kernel())  # noqa: RUF006 - sent and forgotten
        return self._printed <= most or size_of(content) < 1000


def modules_of_checks(notebook: NotebookNode) -> list[str]:
    """Return the modules that the test cells of a notebook import, and what else may be one."""
    tests = [
        cell.source for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    found = re.findall(
        r"^ *from ([\w.]+) import ([\w, ]+)|^ *import ([\w.]+)", "\n".join(tests), re.M
    )
    names = [plain or module for module, _, plain in found]
    names += [
        f"{module}.{name.strip()}" for module, some, _ in found for name in some.split(",") if some
    ]
    return list(dict.fromkeys(names))


def name_of(cell: NotebookNode, index: int | None) -> str:
    """Return how a teacher finds a cell: by nbgrader's name, else by its place."""
    role = cell.metadata.get("nbgrader", {})
    if "grade_id" in role:
        return str(role["grade_id"])
    return f"cell {index + 1}" if index is not None else f"cell {cell.get('id', '?')}"


def size_of(content: Any) -> int:
    """Return roughly how many characters the content of a message has."""
    if isinstance(content, dict):
        return sum(map(size_of, content.values()))
    if isinstance(content, list):
        return sum(map(size_of, content))
    return len(content) if isinstance(content, str) else 8
