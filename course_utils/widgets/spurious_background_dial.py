"""A dial for how far the background gives the class away, and what two models make of it."""

import base64
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import traitlets

from course_utils.data.shapes import CLASSES, SIZE
from course_utils.widgets.background_results import (
    BACKGROUNDS,
    BackgroundResult,
    as_state,
    figure_share,
    recorded,
)
from course_utils.widgets.base import CourseWidget, State
from course_utils.widgets.svg import ACCENT, MARK, MUTED, OKABE_ITO, Drawing, colour_scale, number

COLOURS = (OKABE_ITO["purple"], OKABE_ITO["green"], OKABE_ITO["orange"], OKABE_ITO["skyBlue"])
"""Of the models, in their order."""

EMPTY = "There is nothing to show: give the dial the results of at least one correlation."


class SpuriousBackgroundDial(CourseWidget):
    """Turn up how far the background gives the class away, and see what the models rest on.

    Training and measuring come first; the dial only shows what was measured:

        results = [measure_backgrounds(models, rho, loaders.info), ...]
        SpuriousBackgroundDial(results)

    Args:
        results: of `measure_backgrounds`, one for each correlation; a recorded set if left out.
        correlation: background correlation in training, in [0, 1]; the nearest one is shown.
        picture: which test figure is shown, from 0.
        settings: `pictures` and `tests`, when `results` are plain data, as `as_state` gives them.

    Raises:
        ValueError: no results, or results that do not belong together.
        traitlets.TraitError: for a setting out of its range.
    """

    title = "A background that gives the answer away"
    data: ClassVar[dict[str, Any]] = {"classes": list(CLASSES), "size": SIZE, "empty": EMPTY}

    pictures: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    tests: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    results: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    correlation = traitlets.Float(0.8, min=0.0, max=1.0).tag(sync=True)
    picture = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        results: Sequence[BackgroundResult] | Sequence[dict[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        if results is None:
            plain = recorded()
        elif "pictures" in settings:
            plain = {"results": list(results)}
        else:
            plain = as_state(results)  # type: ignore[arg-type]
        super().__init__(**plain, **settings)

    @staticmethod
    def reference(state: State) -> dict[str, Any]:
        """Choose the result, and compute the shares of its maps that lie on the figure."""
        return _reference(state)

    def describe(self) -> str:
        """Say how both models do on true and on swapped backgrounds."""
        result = self.result()
        return str(result["problem"]) if result["problem"] else verdict(result)

    def still(self) -> Drawing:
        """Draw examples, curves, and one test figure with the occlusion maps."""
        return _still(self.state(), self.result())


def percent(part: float) -> str:
    r"""Return a part of one as a whole percentage.

    >>> percent(0.125)
    '13\xa0%'
    """
    return f"{math.floor(100 * part + 0.5)}\u00a0%"  # a space that does not break the line


def verdict(result: dict[str, Any]) -> str:
    """Return one sentence with the accuracies at the correlation chosen.

    Args:
        result: the reference's answer.
    """
    models = "; ".join(_score(model) for model in result["models"])
    return f"Trained at ρ = {number(result['correlation'])}: {models}."


def _score(model: dict[str, Any]) -> str:
    true, swapped = (percent(part) for part in model["accuracy"])
    return f"{model['name']} {true} right on true backgrounds, {swapped} on swapped ones"


def _reference(state: State) -> dict[str, Any]:
    results, tests = state["results"], state["tests"]
    if not results or not tests:
        return {"problem": EMPTY}
    distances = [abs(result["correlation"] - state["correlation"]) for result in results]
    index = distances.index(min(distances))
    picture = min(state["picture"], len(tests) - 1)
    chosen, test = results[index], tests[picture]
    mask = torch.tensor([[c == "1" for c in row] for row in test["mask"]])  # (S, S)
    return {
        "problem": None,
        "index": index,
        "correlation": chosen["correlation"],
        "telling": chosen["correlation"] + (1 - chosen["correlation"]) / len(CLASSES),
        "picture": picture,
        "curves": _curves(results),
        "models": [_one_model(model, picture, test, mask) for model in chosen["models"]],
        "foreign": [
            [family != label for family in row]
            for label, row in zip(chosen["example_labels"], chosen["example_families"], strict=True)
        ],
    }


def _curves(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each model and background, of points (correlation, accuracy)."""
    return [
        {
            "name": f"{model['name']}, {kind}",
            "points": [[r["correlation"], r["models"][m]["accuracy"][k]] for r in results],
        }
        for m, model in enumerate(results[0]["models"])
        for k, kind in enumerate(BACKGROUNDS)
    ]


def _one_model(
    model: dict[str, Any], picture: int, test: dict[str, Any], mask: torch.Tensor
) -> dict[str, Any]:
    maps = torch.tensor(model["maps"][picture], dtype=torch.float64)  # (2, G, G)
    answers = model["answers"][picture]
    return {
        "name": model["name"],
        "accuracy": model["accuracy"],
        "gap": model["accuracy"][0] - model["accuracy"][1],
        "answers": [CLASSES[answer] for answer in answers],
        "kinds": [
            "right" if answer == test["label"] else "background" if answer == family else "wrong"
            for answer, family in zip(answers, test["families"], strict=True)
        ],
        "shares": figure_share(maps, mask.expand(2, -1, -1)).tolist(),
        "largest": maps.abs().amax(dim=(1, 2)).tolist(),
    }


# --- The still picture -----------------------------------------------------------------------

_SMALL, _LARGE = 46, 112  # sides of the pictures


def _still(state: State, result: dict[str, Any]) -> Drawing:
    if result["problem"]:
        page = Drawing(width=900, height=60)
        page.text(20, 34, result["problem"], fill=MARK, bold=True)
        return page
    page = Drawing(width=900, height=604)
    _draw_examples(page, state, result)
    _draw_curves(page, result)
    for row in range(len(BACKGROUNDS)):
        _draw_test(page, state, result, row, top=290 + 140 * row)
    for line, model in enumerate(result["models"][:2]):
        page.text(20, 572 + 20 * line, f"ρ = {number(result['correlation'])}: {_score(model)}.")
    return page


def _draw_picture(page: Drawing, pixels: bytes, x: float, y: float, size: float) -> None:
    """Put a picture on the page.

    Args:
        page: where to.
        pixels: 32x32x3 bytes.
        x: left edge.
        y: upper edge.
        size: side on the page.
    """
    colours = [int.from_bytes(pixels[i : i + 3], "big") for i in range(0, len(pixels), 3)]
    rows = [colours[i : i + SIZE] for i in range(0, len(colours), SIZE)]
    page.picture(x, y, rows, size=size, colour=lambda rgb: f"#{int(rgb):06x}")


def _draw_examples(page: Drawing, state: State, result: dict[str, Any]) -> None:
    chosen = state["results"][result["index"]]
    page.text(20, 28, f"As in training, ρ = {number(result['correlation'])}", bold=True)
    for r, row in enumerate(chosen["examples"]):
        y = 42 + r * (_SMALL + 22)
        page.text(20, y + _SMALL + 15, CLASSES[chosen["example_labels"][r]], size=12, fill=MUTED)
        for c, which in enumerate(row):
            x = 20 + c * (_SMALL + 12)
            _draw_picture(page, base64.b64decode(state["pictures"][which]), x, y, _SMALL)
            if result["foreign"][r][c]:
                page.window(x, y, _SMALL, _SMALL)


def _draw_curves(page: Drawing, result: dict[str, Any]) -> None:
    left, top, width, height = 340, 60, 380, 150
    page.text(left, 28, "Accuracy, by ρ in training", bold=True)
    for tick in (0, 0.5, 1):
        y = top + height * (1 - tick)
        page.line([(left, y), (left + width, y)], stroke="#d0d7de", line=1)
        page.text(left - 8, y + 4, percent(tick), size=12, anchor="end")
        page.text(left + width * tick, top + height + 18, number(tick), size=12, anchor="middle")
    at = left + width * result["correlation"]
    page.line([(at, top), (at, top + height)], stroke=MARK)
    for i, curve in enumerate(result["curves"]):
        colour = COLOURS[i // 2 % len(COLOURS)]
        points = [(left + width * x, top + height * (1 - y)) for x, y in curve["points"]]
        page.line(points, stroke=colour, line=3 if i % 2 == 0 else 1.5)
        for x, y in points if i % 2 else ():
            page.rect(x - 3, y - 3, 6, 6, fill=colour)
        key = top + 16 + 24 * i
        page.line([(740, key - 4), (764, key - 4)], stroke=colour, line=3 if i % 2 == 0 else 1.5)
        if i % 2:
            page.rect(749, key - 7, 6, 6, fill=colour)
        page.text(772, key, curve["name"], size=13)


def _draw_test(page: Drawing, state: State, result: dict[str, Any], row: int, top: float) -> None:
    test = state["tests"][result["picture"]]
    chosen = state["results"][result["index"]]
    page.text(20, top - 8, f"{BACKGROUNDS[row].capitalize()} background", bold=True)
    pixels = base64.b64decode(state["pictures"][test["pictures"][row]])
    _draw_picture(page, pixels, 20, top, _LARGE)
    for m, model in enumerate(result["models"][:2]):
        x = 200 + 350 * m
        map_ = chosen["models"][m]["maps"][result["picture"]][row]
        _draw_picture(page, _coloured(map_, test["mask"], model["largest"][row]), x, top, _LARGE)
        page.rect(x, top, _LARGE, _LARGE, stroke="#d0d7de")
        beside = x + _LARGE + 14
        page.text(beside, top + 20, model["name"], bold=True)
        page.text(beside, top + 44, f"answers “{model['answers'][row]}”", fill=ACCENT)
        page.text(beside, top + 64, meaning(model["kinds"][row]), size=12, fill=MUTED)
        share = f"{percent(model['shares'][row])} of the map on the figure"
        page.text(beside, top + 84, share, size=12, fill=MUTED)
        scale = f"colours reach ±{number(model['largest'][row])}"
        page.text(beside, top + 104, scale, size=12, fill=MUTED)


def _coloured(map_: list[list[float]], mask: list[str], largest: float) -> bytes:
    """A map as pixels as fine as the mask, with the outline of the figure in black."""
    cell = len(mask) // len(map_)
    colour = colour_scale([largest], signed=True)
    pixels = bytearray()
    for y, row in enumerate(mask):
        for x in range(len(row)):
            fill = "#000000" if on_rim(mask, y, x) else colour(map_[y // cell][x // cell])
            pixels += bytes.fromhex(fill[1:])
    return bytes(pixels)


def on_rim(mask: list[str], y: int, x: int) -> bool:
    """Whether a pixel is on the figure, and one of its four neighbours is not."""

    def on(y: int, x: int) -> bool:
        return 0 <= y < len(mask) and 0 <= x < len(mask[0]) and mask[y][x] == "1"

    around = on(y - 1, x) and on(y + 1, x) and on(y, x - 1) and on(y, x + 1)
    return on(y, x) and not around


def meaning(kind: str) -> str:
    """Say whether an answer is right, or where it comes from."""
    sentences = {
        "right": "right",
        "background": "wrong: the background’s class",
        "wrong": "wrong",
    }
    return sentences[kind]
