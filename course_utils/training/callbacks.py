"""Callbacks of a run: called with the history after each epoch."""

import sys
from collections.abc import Callable

from tqdm.auto import tqdm

from course_utils.training.history import History

__all__ = ["EpochCallback", "ProgressBar"]

# A callback with a method on_step(step, num_steps) is also called after each step.
EpochCallback = Callable[[History], object]


class ProgressBar:
    """A bar over the steps of a run, with the latest validation accuracy beside it.

    Only a person sees it: in a terminal, or in a notebook that somebody is working in. In a pipe,
    or in a notebook executed by a program, it is silent, so that stored outputs stay the same
    from run to run.
    """

    def __init__(self) -> None:
        self.visible = is_watched()
        self._bar: tqdm | None = None

    def on_step(self, step: int, num_steps: int) -> None:
        """Advance the bar to a step."""
        if not self.visible:
            return
        if self._bar is None or self._bar.total != num_steps or step < self._bar.n:
            self.close()
            self._bar = tqdm(total=num_steps, initial=step - 1, unit="step", dynamic_ncols=True)
        self._bar.update(step - self._bar.n)

    def __call__(self, history: History) -> None:
        """Show the results of the epoch that has just ended."""
        if self._bar is None:
            return
        last = history.epochs[-1]
        self._bar.set_postfix_str(
            f"epoch {last.epoch}/{history.config.epochs}, "
            f"train loss {last.train_loss:.3f}, val accuracy {last.val_accuracy:.1%}"
        )
        if last.epoch == history.config.epochs:
            self.close()

    def close(self) -> None:
        """Stop the bar where it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def is_watched() -> bool:
    """Return whether a person is watching this process."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython() if ipython else None, "kernel", None)
    if kernel is None:
        return sys.stderr.isatty()
    # A notebook's front end says with each cell whether it can ask its reader for input.
    # nbclient and nbval, which execute notebooks without a reader, say that they cannot.
    return bool(getattr(kernel, "_allow_stdin", True))
