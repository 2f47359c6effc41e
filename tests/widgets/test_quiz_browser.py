"""A quiz in JupyterLab, worked through by keyboard, and after its kernel was restarted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab_server import KERNEL, RUN_ALL, serve
from playwright.sync_api import Browser, Locator, Page, expect

from course_utils import quiz
from course_utils.quiz import memory

pytestmark = pytest.mark.xdist_group("jupyterlab")

NAME = "04_stride_padding_pooling"
NUM_ITEMS = len(quiz.load(NAME).items)
AXE = """async () => (await axe.run(".cq", { rules: { region: { enabled: false } } }))
    .violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`)"""
CELLS = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    return [notebook.activeCellIndex, notebook.widgets.map((cell) => cell.model.type)];
}"""
RESTART = """async () => {
    const { sessionContext } = window.jupyterapp.shell.currentWidget;
    await sessionContext.restartKernel();
    const ready = () => {
        const { connectionStatus, status } = sessionContext.session.kernel;
        return connectionStatus === "connected" && status === "idle";
    };
    while (!ready()) await new Promise((resolve) => setTimeout(resolve, 50));
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which answers are kept."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory, state: Path) -> Iterator[Page]:
    """A notebook with a heading of lesson 04 and its quiz, open and run in JupyterLab."""
    home = tmp_path_factory.mktemp("lab")
    cells = [
        nbformat.v4.new_markdown_cell("## What the floor throws away\n\n" + "Text.\n\n" * 80),
        nbformat.v4.new_code_cell(f"from course_utils import quiz\n\nquiz.show({NAME!r})"),
        nbformat.v4.new_code_cell("quiz.show('07_lenet')"),
        nbformat.v4.new_code_cell("quiz.show('05_channels_and_parameters')"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Python 3"}
    with serve(home, COURSE_STATE=str(state)) as url:
        nbformat.write(notebook, home / "notebooks" / "quiz.ipynb")
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.set_default_timeout(120_000)
        expect.set_options(timeout=30_000)
        page.goto(url.replace("widgets.ipynb", "quiz.ipynb"))
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.evaluate(RUN_ALL)
        expect(page.locator(".cq")).to_have_count(3)
        yield page
        expect.set_options(timeout=5_000)
        page.close()
        assert not faults, faults


def item(lab: Page, item_id: str) -> Locator:
    """The fieldset of one question."""
    return lab.locator(f"fieldset[data-item={item_id}]")


def right_answer(item_id: str) -> Any:
    bank = quiz.load(NAME)
    return quiz.pose(bank, bank.item(item_id), "lesson").answer


def test_a_number_is_marked_and_its_slip_is_named(lab: Page) -> None:
    asked = item(lab, "output_size")
    asked.get_by_label("Your answer").click()
    cells = lab.evaluate(CELLS)
    lab.keyboard.type("abbdd")  # in command mode these would change the notebook
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Answer with a number")
    lab.keyboard.press("Control+a")
    lab.keyboard.type(str(right_answer("output_size") + 1))
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("you round the division up")
    assert lab.evaluate(CELLS) == cells
    lab.keyboard.press("Control+a")
    lab.keyboard.type(str(right_answer("output_size")))
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Right.")
    expect(lab.locator(".cq-progress").first).to_have_text(f"1 of {NUM_ITEMS} right")


def test_a_choice_by_keyboard(lab: Page) -> None:
    asked = item(lab, "order_of_pooling")
    radios = asked.get_by_role("radio")
    radios.first.focus()
    lab.keyboard.press("Space")
    cells = lab.evaluate(CELLS)
    lab.keyboard.press("ArrowDown")
    expect(radios.nth(1)).to_be_checked()
    assert lab.evaluate(CELLS) == cells
    wrong = asked.locator(".cq-option", has_text="With both").get_by_role("radio")
    wrong.focus()
    lab.keyboard.press("Space")
    lab.keyboard.press("Tab")
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("expect ReLU to leave a mean as it is")
    expect(asked.get_by_text("Read again")).to_be_visible()


def test_the_link_leads_to_the_section(lab: Page) -> None:
    asked = item(lab, "output_size")
    asked.get_by_label("Your answer").fill("1000")
    lab.keyboard.press("Enter")
    link = asked.get_by_role("link", name="What the floor throws away")
    link.focus()
    lab.keyboard.press("Enter")
    expect(lab.locator("h2", has_text="What the floor throws away")).to_be_in_viewport()
    asked.get_by_label("Your answer").fill(str(right_answer("output_size")))
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Right.")


def test_the_answer_is_shown_after_two_tries_only(lab: Page) -> None:
    asked = item(lab, "receptive_field")
    show = asked.get_by_role("button", name="Show the answer")
    for number, answer in enumerate(("999", "998")):
        assert show.count() == 0, number
        asked.get_by_label("Your answer").fill(answer)
        lab.keyboard.press("Enter")
        expect(asked.get_by_role("status")).to_contain_text(f"{answer} is not right")
    assert "The answer" not in asked.inner_text().replace("Show the answer", "")
    show.focus()
    lab.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text(
        f"The answer: {right_answer('receptive_field')}"
    )
    before = asked.locator(".cq-text").inner_text()
    asked.get_by_role("button", name="Other numbers").press("Enter")
    expect(asked.locator(".cq-text")).not_to_have_text(before)
    expect(asked.get_by_label("Your answer")).to_have_value("")


def test_several_are_ticked_by_keyboard(lab: Page) -> None:
    asked = item(lab, "twice_as_large")
    for text in ("Its weights", "The memory of its output"):
        asked.locator(".cq-option", has_text=text).get_by_role("checkbox").focus()
        lab.keyboard.press("Space")
    asked.get_by_role("button", name="Check question 3").press("Enter")
    told = asked.locator(".cq-feedback")
    expect(told).to_contain_text("You judge 2 of 4 correctly")
    for text in ("Its weights", "Its multiply-adds"):
        asked.locator(".cq-option", has_text=text).get_by_role("checkbox").focus()
        lab.keyboard.press("Space")
    asked.get_by_role("button", name="Check question 3").press("Enter")
    expect(told).to_contain_text("Right.")


def test_the_end_says_what_to_look_at_again(lab: Page) -> None:
    whole = lab.locator(".cq").nth(1)
    bank = quiz.load("07_lenet")
    for number, asked in enumerate(bank.items, 1):
        question = quiz.pose(bank, asked, "lesson")
        box = item(lab, asked.id)
        if question.options:
            role = "checkbox" if asked.kind == "multiple" else "radio"
            for option, shown in zip(question.options, box.get_by_role(role).all(), strict=True):
                if option.right:
                    shown.check()
        else:
            if asked.id == "fresh_loss":
                box.get_by_label("Your answer").fill(str(question.slips["logarithm_to_base_2"]))
                lab.keyboard.press("Enter")
                expect(box.locator(".cq-feedback")).to_contain_text("base 2")
            box.get_by_label("Your answer").fill(str(question.answer))
        box.get_by_role("button", name=f"Check question {number}").press("Enter")
        expect(box.locator(".cq-feedback")).to_contain_text("Right.")
    closing = whole.locator(".cw-readout")
    expect(closing).to_contain_text("6 of 7 right on the first try")
    expect(closing).to_contain_text("In 1 answer: what you get if you take the logarithm to base 2")


def test_axe_finds_nothing(lab: Page, axe_source: str) -> None:
    lab.evaluate(axe_source)
    assert lab.evaluate(AXE) == []


def test_a_restarted_kernel_shows_what_was_answered(lab: Page, state: Path) -> None:
    lab.evaluate("document.querySelectorAll('.cq').forEach((q) => q.setAttribute('data-old', ''))")
    lab.evaluate(RESTART)
    expect(lab.locator(".cq:not([data-old])")).to_have_count(3)
    expect(lab.locator(".cq")).to_have_count(3)
    number = item(lab, "output_size")
    expect(number.get_by_label("Your answer")).to_have_value(str(right_answer("output_size")))
    expect(number.get_by_role("status")).to_contain_text("Right.")
    wrong = item(lab, "order_of_pooling").locator(".cq-option", has_text="With both")
    expect(wrong.get_by_role("radio")).to_be_checked()
    kept = json.loads((state / "quiz" / f"{NAME}.json").read_text("utf-8"))
    assert kept["order_of_pooling"]["answer"] == "With both"
    assert memory.Entry(**kept["output_size"]).rules[0] == "rounded_up"


def test_start_again_forgets_all(lab: Page, state: Path) -> None:
    lab.locator(".cq").first.get_by_role("button", name="Start again").press("Enter")
    expect(item(lab, "output_size").get_by_label("Your answer")).to_have_value("")
    expect(lab.locator(".cq-progress").first).to_have_text(f"0 of {NUM_ITEMS} right")
    assert json.loads((state / "quiz" / f"{NAME}.json").read_text("utf-8")) == {}


def test_a_kernel_that_does_not_reply_is_said(lab: Page) -> None:
    """Last, since nothing runs after it."""
    lab.evaluate("""async () => {
        const panel = window.jupyterapp.shell.currentWidget;
        await panel.sessionContext.shutdown();
    }""")
    asked = item(lab, "output_size")
    asked.get_by_label("Your answer").fill("1")
    lab.keyboard.press("Enter")
    expect(lab.locator(".cq-note").first).to_contain_text("The kernel does not reply")
