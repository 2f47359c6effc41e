"""Every control of a widget, moved by keyboard as a reader would, and the figures held then.

`move_every_control` is what the tests in the lessons rest on. That it fails where a widget is
broken is tested by breaking widgets: tests/browser/test_broken_widgets.py.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from shown_widget import Shown

PATIENCE = 30.0  # seconds until a change must be there
POLL = 0.02

# What can be focused, in the order of the page, and what a screen reader calls it.
NODES = """const nodes = [...root.querySelectorAll("input, select, button, [tabindex]")]
    .filter((node) => !node.disabled && node.checkVisibility());
const name = (node) =>
    node.getAttribute("aria-label") ?? node.labels?.[0]?.innerText ?? node.innerText;"""

LIST = f"""(root) => {{
    {NODES}
    const range = (node) => (node.type === "range" ? node.max - node.min + 1 : 2);
    return nodes.filter((node) => node.tabIndex >= 0).map((node) => ({{
        name: name(node),
        kind: node.type ?? "arrows",
        pressed: node.getAttribute("aria-pressed") === "true",
        choices: node.options?.length ?? range(node),
        at_end: node.options ? node.selectedIndex === node.options.length - 1
            : node.max !== "" && Number(node.value) >= Number(node.max),
    }}));
}}"""

FOCUS = f"""(root, wanted) => {{
    {NODES}
    nodes.find((node) => name(node) === wanted).focus();
}}"""

PAUSE = f"""(root) => {{
    {NODES}
    nodes.find((node) => name(node).endsWith("Pause"))?.click();
}}"""

KEYS = {
    "range": ("ArrowRight", "ArrowLeft"),
    "number": ("ArrowUp", "ArrowDown"),
    "select-one": ("ArrowDown", "ArrowUp"),
    "arrows": ("ArrowRight", "ArrowLeft"),
    "checkbox": ("Space", "Space"),
}
"""For each kind of control the key that moves it, and the one that moves it back; else Enter."""


@dataclass(frozen=True)
class Control:
    """One stop of the Tab key inside a widget."""

    name: str
    kind: str
    pressed: bool
    choices: int
    at_end: bool

    @property
    def keys(self) -> tuple[str, str]:
        """The key that moves it by a step, and the one that moves it back."""
        there, back = KEYS.get(self.kind, ("Enter", "Enter"))
        return (back, there) if self.at_end else (there, back)

    @property
    def is_button(self) -> bool:
        """Whether Enter does something at once, which no other key takes back."""
        return self.kind in ("button", "submit")

    @property
    def order(self) -> tuple[bool, bool, bool]:
        """What comes first: what can be moved back, then buttons, what removes something last."""
        return self.is_button, self.name.startswith("Remove"), self.pressed


def controls(shown: Shown) -> list[Control]:
    """Return the controls that the Tab key reaches now, in its order; one number of a grid."""
    return [Control(**found) for found in shown.root.evaluate(LIST)]


def settles(check: Callable[[], None], patience: float = PATIENCE) -> None:
    """Run a check again and again until it finds nothing wrong; the page may lag behind.

    Raises:
        AssertionError: What it still finds wrong after `patience` seconds.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
        time.sleep(POLL)


def move_every_control(
    shown: Shown, check: Callable[[], None], patience: float = PATIENCE
) -> list[str]:
    """Move each control by keyboard; the picture must change, and `check` must hold after it.

    Args:
        shown: The widget.
        check: Raises an AssertionError where the figures shown are not right.
        patience: How many seconds the page may take for each.

    Returns:
        The names of the controls that were moved.

    Raises:
        AssertionError: A control moves nothing, or leads to wrong figures.
    """
    found = [control for control in controls(shown) if control.choices > 1]
    backwards = [control for control in reversed(found) if control.is_button]
    others = [control for control in found if not control.is_button]
    # "Next" comes before "Back", and the last layer is removed before the first.
    for control in others + sorted(backwards, key=lambda one: one.order):
        before = shown.picture
        move(shown, control)

        def changed(name: str = control.name, before: str = before) -> None:
            assert shown.picture != before, f"{name} changed nothing"

        settles(changed, patience)
        if control.is_button:
            shown.root.evaluate(PAUSE)  # Python lags behind what plays
        settles(check, patience)
        move_back(shown, control)
    return [control.name for control in found]


def move(shown: Shown, control: Control) -> None:
    """Press the key that moves a control by one step, or type another number."""
    focus(shown, control.name)
    if control.kind == "text":
        shown.page.keyboard.type("5")
    shown.page.keyboard.press(control.keys[0])


def move_back(shown: Shown, control: Control) -> None:
    """Undo a step, so that each control is moved from where the widget starts; a button stays."""
    if not control.is_button and control.kind != "text":
        focus(shown, control.name)
        shown.page.keyboard.press(control.keys[1])


def focus(shown: Shown, name: str) -> None:
    """Give the keyboard to the control of that name, as Tab would."""
    shown.root.evaluate(FOCUS, name)
