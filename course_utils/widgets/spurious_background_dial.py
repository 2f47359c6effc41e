"""A dial for how often the background gives the class away, and what two models make of it."""

import base64
from typing import Any, ClassVar, Literal

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data.shapes import CLASSES, SIZE
from course_utils.plots import plot_attribution
from course_utils.widgets.background_results import BACKGROUNDS, figure_share, recorded
from course_utils.widgets.base import CourseWidget, Result, State
from course_utils.widgets.text import number, percent

__all__ = ["EMPTY", "MEANING", "Kind", "SpuriousBackgroundDial"]

EMPTY = "There is nothing to show: give the dial the results of at least one correlation."

Kind = Literal["right", "background", "wrong"]
MEANING: dict[Kind, str] = {
    "right": "correct",
    "background": "wrong: the background’s class",
    "wrong": "wrong",
}
"""What a model's answer is: correct, the class of the background, or wrong otherwise."""


class SpuriousBackgroundDial(CourseWidget):
    """Turn up how often the background gives the class away, and see what the models rely on.

    The dial only shows what `tools/record_backgrounds.py` has trained and measured.

    Args:
        correlation: Background correlation in training, in [0, 1]; the nearest one is shown.
        picture: Which test figure is shown, from 0.
        settings: `pictures`, `tests` and `results`, as `background_results.recorded` returns them;
            the recorded ones if left out.

    Raises:
        ValueError: For a setting out of its range.
    """

    title = "A background that gives the answer away"
    data: ClassVar[dict[str, Any]] = {
        "classes": list(CLASSES),
        "size": SIZE,
        "empty": EMPTY,
        "meaning": MEANING,
    }

    pictures: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    tests: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    results: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    correlation = traitlets.Float(0.6, min=0.0, max=1.0).tag(sync=True)
    picture = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**(recorded() | settings))

    @staticmethod
    def reference(state: State) -> Result:
        """Choose the result, and compute the shares of its maps that lie on the figure."""
        results, tests = state["results"], state["tests"]
        if not results or not tests:
            return {"problem": EMPTY}
        distances = [abs(result["correlation"] - state["correlation"]) for result in results]
        index = distances.index(min(distances))
        picture = min(state["picture"], len(tests) - 1)
        chosen, test = results[index], tests[picture]
        families = zip(chosen["example_labels"], chosen["example_families"], strict=True)
        return {
            "problem": None,
            "index": index,
            "correlation": chosen["correlation"],
            "telling": chosen["correlation"] + (1 - chosen["correlation"]) / len(CLASSES),
            "picture": picture,
            "curves": _curves(results),
            "models": [_one_model(model, picture, test) for model in chosen["models"]],
            "foreign": [[family != label for family in row] for label, row in families],
        }

    def draw(self, result: Result) -> Figure:
        """Draw one test figure before both backgrounds, and each model's occlusion maps."""
        test, chosen = self.tests[result["picture"]], self.results[result["index"]]
        models = {}
        for shown, model in zip(result["models"], chosen["models"], strict=True):
            true, swapped = map(percent, shown["accuracy"])
            title = f"{shown['name']}: {true} correct,\n{swapped} if swapped"
            maps = torch.tensor(model["maps"][result["picture"]])  # (2, G, G)
            models[title] = {
                f"{kind} background": m for kind, m in zip(BACKGROUNDS, maps, strict=True)
            }
        pictures = torch.stack([_decode(self.pictures[which]) for which in test["pictures"]])
        title = f"ρ = {number(result['correlation'])}: {CLASSES[test['label']]}"
        return plot_attribution(pictures, models, _mask(test), title)

    def tell(self, result: Result) -> str:
        """Say how the models do on true and on swapped backgrounds, and what is shown of them."""
        models = "; ".join(
            f"{model['name']} {percent(model['accuracy'][0])} correct on true backgrounds, "
            f"{percent(model['accuracy'][1])} on swapped ones"
            for model in result["models"]
        )
        figure = CLASSES[self.tests[result["picture"]]["label"]]
        return (
            f"Trained at ρ = {number(result['correlation'])}: {models}. "
            f"Test figure {result['picture'] + 1}: {figure}."
        )


def _decode(text: str) -> Tensor:
    """Return the image (3, 32, 32), uint8, whose bytes are given as base64."""
    pixels = torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
    return pixels.view(SIZE, SIZE, 3).permute(2, 0, 1)


def _mask(test: dict[str, Any]) -> Tensor:
    """Return where the figure of a test is, (32, 32), bool."""
    return torch.tensor([[mark == "1" for mark in row] for row in test["mask"]])


def _curves(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line for each model and background, of points (correlation, accuracy)."""
    return [
        {
            "name": f"{model['name']}, {kind}",
            "points": [[r["correlation"], r["models"][m]["accuracy"][k]] for r in results],
        }
        for m, model in enumerate(results[0]["models"])
        for k, kind in enumerate(BACKGROUNDS)
    ]


def _kind(answer: int, label: int, family: int) -> Kind:
    if answer == label:
        return "right"
    return "background" if answer == family else "wrong"


def _one_model(model: dict[str, Any], picture: int, test: dict[str, Any]) -> dict[str, Any]:
    maps = torch.tensor(model["maps"][picture], dtype=torch.float64)  # (2, G, G)
    answers = model["answers"][picture]
    return {
        "name": model["name"],
        "accuracy": model["accuracy"],
        "gap": model["accuracy"][0] - model["accuracy"][1],
        "answers": [CLASSES[answer] for answer in answers],
        "kinds": [
            _kind(answer, test["label"], family)
            for answer, family in zip(answers, test["families"], strict=True)
        ],
        "shares": figure_share(maps, _mask(test).expand(2, -1, -1)).tolist(),
        "largest": maps.abs().amax(dim=(1, 2)).tolist(),
    }
