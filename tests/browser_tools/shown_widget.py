"""A widget of the course on a page, and what the tests ask of it."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass
class Shown:
    """A widget on a page, and what the tests ask of it."""

    page: Page
    root: Locator

    def control(self, label: str) -> Locator:
        """The control with this visible label."""
        return self.root.get_by_label(label, exact=True)

    def press(self, label: str, *keys: str) -> None:
        """Focus a control by its label and press keys."""
        self.control(label).focus()
        for key in keys:
            self.page.keyboard.press(key)

    def numbers(self, label: str) -> list[str]:
        """The texts in the cells of the grid whose label starts so, row by row."""
        grid = self.root.locator(f".cw-grid[aria-label^='{label}']")
        return grid.locator(".cw-cell").evaluate_all(
            "cells => cells.map((c) => c.querySelector('input')?.value ?? c.textContent)"
        )

    @property
    def settings(self) -> dict[str, str]:
        """What each control holds, by its name: the number beside a slider, "true" of a tick."""
        script = """(root) => Object.fromEntries(
            [...root.querySelectorAll("input, select")].map((control) => {
                const name = control.getAttribute("aria-label") ?? control.labels[0].innerText;
                const ticked = control.type === "checkbox" && String(control.checked);
                const beside = control.parentElement.querySelector(":scope > output")?.innerText;
                return [name.trim(), ticked || (beside ?? control.value)];
            }))"""
        return dict(self.root.evaluate(script))

    @property
    def readout(self) -> str:
        """What a screen reader is told after a change."""
        return self.root.locator(".cw-readout").inner_text()

    @property
    def stage(self) -> str:
        """All that is drawn, colours and boxes included, as one string to compare."""
        script = """(root) => root.querySelector(".cw-stage").innerHTML
            + [...root.querySelectorAll("canvas")].map((c) => c.toDataURL()).join()
            + [...root.querySelectorAll("input")].map((i) => i.value).join()"""
        return str(self.root.evaluate(script))

    @property
    def picture(self) -> str:
        """What is drawn and said, without what the controls themselves hold: they move anyway."""
        script = """(root) => [".cw-stage", ".cw-below", ".cw-readout"]
            .map((part) => root.querySelector(part)?.innerHTML ?? "").join()
            + [...root.querySelectorAll("canvas")].map((c) => c.toDataURL()).join()"""
        return str(self.root.evaluate(script))
