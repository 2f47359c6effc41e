"""nbgrader's step that runs a notebook, with the student's code in the sandbox.

It differs from nbgrader's own in two ways. Test cells do not run in the student's kernel: a judge
runs them as they were released, and lets the kernel call what the student wrote. And when something
goes badly wrong, the student keeps the points earned so far and gets none for what could not run,
and a note tells the teacher why.
"""

import asyncio
import hmac
import json
import queue
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from traitlets import Bool, Float, Integer, List, Unicode

from convnet_grader.judge import Judge, JudgeLost
from convnet_grader.kernel import Watchdog, student_kernel
from convnet_grader.preprocessors import is_test
from convnet_grader.released import gatherers, questions
from convnet_grader.sandbox import HARNESS, Limits, read_secret

__all__ = ["DISTURBED", "DRAW", "NOTES", "SandboxedExecute", "name_of", "size_of"]

NOTES = "grading_notes"
"""The place of the notes for the teacher in a graded notebook's metadata."""
DRAW = "grading_draw"
"""The place of the seed of its hidden checks' inputs, in the same metadata."""
DISTURBED = "grading_disturbed"
"""The place, in the same metadata, of whether something outside ended its kernel."""
OLD_CHECK = "release the exercise again"
PATIENCE = 15  # seconds for an interrupted kernel to come back
SPOKEN = ("stream", "display_data", "execute_result", "update_display_data", "error")
SILENT = ("status", "execute_input", "clear_output")


class SandboxedExecute(Execute):
    """A step that runs each submission in its own kernel, in the sandbox."""

    trusted = Bool(False, help="Run notebooks of people you trust without the sandbox.").tag(
        config=True
    )
    seconds = Float(Limits.seconds, help="Seconds that a submission may take.").tag(config=True)
    memory_mb = Integer(
        Limits.memory_mb, help="Megabytes of memory that a submission may use."
    ).tag(config=True)
    processes = Integer(Limits.processes, help="Processes that may run at a time.").tag(config=True)
    disk_mb = Integer(Limits.disk_mb, help="Megabytes that a submission may write.").tag(
        config=True
    )
    output_kb = Integer(Limits.output_kb, help="Kilobytes that it may print, in all.").tag(
        config=True
    )
    runs = Unicode("", help="Where to make temporary folders.").tag(config=True)
    hidden = List(Unicode(), help="Folders that no student's code may see.").tag(config=True)
    secret = Unicode(
        "",
        help="The class's secret, a file that fixes the random inputs of hidden checks.",
    ).tag(config=True)

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
        self._code = [cell for cell in nb.cells if cell.cell_type == "code"]
        root = Path(CourseDirectory(parent=self).root)
        secret = read_secret(root / self.secret) if self.secret else b""
        self._draw = _draw_for(self._student, nb, secret)
        self._judge: Judge | None = None
        self._installed = False
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
        nb.metadata[NOTES], nb.metadata[DRAW] = self._notes, self._draw
        nb.metadata[DISTURBED] = self._over and self._watchdog.disturbed
        return nb, resources

    _watchdog: Watchdog

    def _run(self, nb: NotebookNode, resources: dict[str, Any], kernel: Any) -> Any:
        """Let nbgrader do its work, and end the kernel without asking it."""
        try:
            return super().preprocess(nb, resources, km=kernel)
        finally:
            if self._judge is not None:
                self._judge.end()
            if self.kc is not None:
                self.shutdown_kernel = "immediate"
                self._cleanup_kernel()

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *options: Any, **named: Any
    ) -> NotebookNode:
        """Run a cell; if the kernel has ended, note that it did not run."""
        is_code = cell.cell_type == "code" and bool(cell.source.strip())
        if self._over:
            return self._not_run(cell) if is_code else cell
        try:
            if is_code:
                await self._require_answer()
                await self._begin()
            if is_test(cell):
                return await self._examined(cell)
            return await super().async_execute_cell(cell, cell_index, *options, **named)
        except Exception as error:  # what a hostile kernel sends may be anything
            self._over = True
            self._notes.append(f"{self._cause(error)}, in {name_of(cell, cell_index)}")
            self._watchdog.reason = self._watchdog.reason or "is over"
            return self._not_run(cell)

    execute_cell = run_sync(async_execute_cell)

    async def _require_answer(self) -> None:
        """After an interrupt, check whether the kernel answers again.

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

    async def _begin(self) -> None:
        """Get a judge, and prepare the kernel to answer it, before any other code runs.

        Raises:
            JudgeLost: No judge starts.
            RuntimeError: The kernel does not accept the harness.
        """
        tests = [cell for cell in self._code if is_test(cell)]
        if self._judge is None:
            others = (c for c in self._code if c.metadata.get("nbgrader", {}).get("locked"))
            setup = next((cell.source for cell in others if not is_test(cell)), "")
            asked = [] if self.trusted else questions([cell.source for cell in tests])
            seconds = self._limits.seconds
            self._judge = await asyncio.to_thread(Judge, self._student, setup, asked, seconds)
        if self._installed:
            return
        sources = [cell.source for cell in tests]
        cells = {
            name_of(cell, None): gatherers(sources[: number + 1])
            for number, cell in enumerate(tests)
        }
        given = json.dumps([self._student, cells, self._judge.asked])
        run = f"__import__('runpy').run_path({str(HARNESS)!r})"
        load = f"{run}['install'](*__import__('json').loads({given!r}))"
        question = self.kc.execute(load, silent=True, store_history=False)
        reply = await asyncio.wait_for(self._reply_to(question), self.timeout)
        if reply.get("status") != "ok":
            raise RuntimeError(f"no harness: {reply.get('evalue')}")
        self._installed = True

    async def _examined(self, cell: NotebookNode) -> NotebookNode:
        """Have the judge examine a test cell, and write its verdict where nbgrader reads it."""
        name = name_of(cell, None)
        begin = {"do": "begin", "cell": name, "seed": self._draw}
        reply = await self._answered(json.dumps(begin), name, self.timeout)
        self._note_remarks(reply, "before", name)
        try:
            verdict = await self._verdict(cell, name)
        except JudgeLost as error:
            self._judge = None
            verdict = {"kind": type(error).__name__, "finding": f"{error}", "printed": ""}
            self._notes.append(f"could not be judged ({error}), in {name}")
        cell.outputs = list(_outputs(verdict))
        if OLD_CHECK in verdict.get("finding", ""):
            self._notes.append(f"met a check of an older release: {OLD_CHECK}, in {name}")
        flags = {"do": "put", "values": verdict.get("flags", {})}
        reply = await self._answered(json.dumps(flags), name, self.timeout)
        self._note_remarks(reply, "in", name)
        return cell

    def _note_remarks(self, reply: str, when: str, name: str) -> None:
        """Note what the harness says of the time before a check, or of the check itself."""
        remarks = json.loads(reply).get("remarks", [])
        self._notes += [f"{str(each)[:200]}, {when} {name}" for each in remarks]

    async def _verdict(self, cell: NotebookNode, name: str) -> dict[str, Any]:
        """Return what the judge finds; pass its questions to the kernel, and the answers back.

        Raises:
            JudgeLost: It reaches no verdict.
        """
        judge, end = self._judge, time.monotonic() + self.timeout
        assert judge is not None
        judge.examine(name, cell.source, cell.metadata.nbgrader.points, self._draw)
        while True:
            while not await asyncio.to_thread(judge.waits, 0.5):
                if time.monotonic() > end + PATIENCE:
                    judge.end()
                    raise JudgeLost("the check did not finish")
            said = judge.receive()
            if "verdict" in said:
                return dict(said["verdict"])
            judge.answer(await self._answered(said["ask"], name, end - time.monotonic()))

    async def _answered(self, request: str, name: str, seconds: float) -> str:
        """Return what the kernel answers to the judge; once time is up, that it is up."""
        late = {"names": ["CheckFailed"], "message": f"your code took longer than {self.timeout} "
                "seconds", "place": ""}  # fmt: skip
        if self._interrupted:
            return json.dumps({"error": late})
        message = self.kc.session.msg("judge_request", {"request": request})
        self.kc.shell_channel.send(message)
        try:
            reply = self._reply_to(message["header"]["msg_id"])
            content = await asyncio.wait_for(reply, max(seconds, 0.1))
        except TimeoutError:
            self._interrupted = True
            self._notes.append(f"took longer than {self.timeout} seconds, in {name}")
            await self.km.interrupt_kernel()
            return json.dumps({"error": late})
        return str(content.get("reply"))

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Note an error that IPython does not report, such as a debugger's."""
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
        """Keep an output, unless there are too many; leave out widgets."""
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


def _draw_for(student: str, notebook: NotebookNode, secret: bytes) -> int:
    """Return the seed of the inputs: the same one for the same submission."""
    text = "\0".join([student, *(cell.source for cell in notebook.cells)])
    digest = hmac.digest(secret, text.encode(errors="replace"), "sha256")
    return int.from_bytes(digest[:4])


def _outputs(verdict: dict[str, Any]) -> Iterator[NotebookNode]:
    """Yield the outputs of a test cell."""
    if verdict["printed"]:
        yield new_output("stream", name="stdout", text=verdict["printed"])
    if "points" in verdict:
        yield new_output("execute_result", {"text/plain": repr(verdict["points"])})
    else:
        kind, finding = verdict["kind"], verdict["finding"]
        yield new_output("error", ename=kind, evalue=finding, traceback=[f"{kind}: {finding}"])


def name_of(cell: NotebookNode, index: int | None) -> str:
    """Return what a teacher finds a cell by: nbgrader's name, else its place."""
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
