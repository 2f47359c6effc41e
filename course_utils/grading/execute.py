"""nbgrader's step that runs a notebook, with the student's code in the sandbox.

It differs from nbgrader's own in what happens when something goes badly wrong: the points that
were earned before stay, what could not be run gets none, and a note for the teacher says why.
"""

import asyncio
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Bool, Float, Integer, List, Unicode

from course_utils.grading.kernel import Watchdog, student_kernel
from course_utils.grading.sandbox import Limits

NOTES = "grading_notes"
"""Where, in the metadata of a graded notebook, the notes for the teacher are."""
PATIENCE = 15  # seconds that an interrupted kernel has to come back
SPOKEN = ("stream", "display_data", "execute_result", "update_display_data", "error")
SILENT = ("status", "execute_input", "clear_output")


class SandboxedExecute(Execute):
    """Runs each submission in a kernel of its own, in the sandbox."""

    trusted = Bool(False, help="Run notebooks of people you trust without the sandbox.").tag(
        config=True
    )
    seconds = Float(Limits.seconds, help="What a submission may take.").tag(config=True)
    memory_mb = Integer(Limits.memory_mb, help="What a submission may use.").tag(config=True)
    runs = Unicode("", help="Where throw-away folders are made.").tag(config=True)
    hidden = List(Unicode(), help="Folders that no student's code may see.").tag(config=True)

    iopub_timeout = Integer(15)  # seconds that an output may be late, on a busy machine
    raise_on_iopub_timeout = Bool(False)  # a lost output costs the points of its own cell

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> Any:
        """Run one notebook.

        Raises:
            SandboxUnavailable: There is no sandbox here, and the notebook is not trusted.
        """
        self._student = resources["nbgrader"]["student"]
        self._notes: list[str] = []
        self._printed, self._over, self._interrupted = 0, False, False
        self._limits = Limits(seconds=self.seconds, memory_mb=self.memory_mb)
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
                self._restore_student()
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
        if not self._interrupted:
            return
        self._interrupted, question = False, self.kc.kernel_info()
        while True:
            reply = await asyncio.wait_for(self.kc.get_shell_msg(timeout=None), PATIENCE)
            if reply["parent_header"].get("msg_id") == question:
                return

    def _restore_student(self) -> None:
        """Set the student's id again: a notebook may have claimed another."""
        line = f"__import__('os').environ['COURSE_STUDENT'] = {self._student!r}"
        self.kc.execute(line, silent=True, store_history=False)

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
