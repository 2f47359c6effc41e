"""End a run on an interrupt between two steps, not in the middle of one."""

import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["Interrupts"]


class Interrupts:
    """A context in which the first interrupt asks the run to end, and the second insists.

    An interrupt (Ctrl-C, a notebook's stop button) raises KeyboardInterrupt wherever the program
    happens to be. Inside a `__del__` or the callback of a weak reference Python prints the
    exception and drops it; inside the notebook's own code it can leave a lock held for good.
    Both happen while figures are drawn. So the first interrupt is noted here, and the loop checks
    for it after each step; a second one raises at once. Outside the main thread, which alone
    receives signals, nothing changes.
    """

    def __init__(self) -> None:
        self._before: signal._HANDLER = None
        self._noticed = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # else interrupts are ignored, or end the process at once
                self._before = before
                signal.signal(signal.SIGINT, self._notice)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if self._noticed and callable(self._before):
            self._before(number, frame)
        self._noticed = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was an interrupt."""
        if self._noticed:
            raise KeyboardInterrupt
