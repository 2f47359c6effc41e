"""Chromium, and pages that note what goes wrong on them and what they ask of other machines."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab_server import CHROMIUM_ARGS
from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocket, sync_playwright

INSIDE = r"(?:https?|wss?)://(?:127\.0\.0\.1|localhost)(?:[:/]|$)|data:|blob:|file:|about:"
OUTSIDE = re.compile(rf"^(?!{INSIDE})")
"""An address that is neither on this machine nor a piece of the page itself."""


OURS = "Canceled future for .* before replies were done"
"""What JupyterLab says because a test ends a kernel that a panel of it is still asking."""


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Run a Chromium without a window, until the end of the block."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield running
        running.close()


@dataclass
class Notes:
    """What was noted about the pages of one context, in the order in which it happened."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the errors and the requests; the console's log is kept for failures."""
        self.errors.clear()
        self.outside.clear()


def watched(context: BrowserContext) -> Notes:
    """Cut a context off from all but this machine, and note what its pages do from now on.

    The notes can be found at the context again, as `notes_of` does.
    """
    notes = Notes()

    def hear(kind: str, text: str) -> None:
        notes.console.append(f"{kind}: {text}")
        if kind in ("error", "uncaught") and not re.search(OURS, text):
            notes.errors.append(text)

    def refuse(route: Route) -> None:
        notes.outside.append(route.request.url)
        route.abort()

    def sockets(socket: WebSocket) -> None:
        if OUTSIDE.search(socket.url):
            notes.outside.append(socket.url)

    context.on("console", lambda message: hear(message.type, message.text))
    context.on("weberror", lambda error: hear("uncaught", str(error.error)))
    context.on("page", lambda page: page.on("websocket", sockets))
    context.route(OUTSIDE, refuse)
    context._course_notes = notes  # type: ignore[attr-defined]
    return notes


def notes_of(page: Page) -> Notes:
    """Return the notes about the page's context; empty ones if it is not watched."""
    return getattr(page.context, "_course_notes", Notes())
