"""Measure what the background dial shows: models on true and on swapped backgrounds.

The images come from `shapes`. A true background is of the family that goes with the figure's
class, a swapped one of the family of another class.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data import Batches, DataInfo, Shapes, ShapesConfig, make_shapes
from course_utils.inspection import occlusion
from course_utils.training.device import device_of_model
from course_utils.widgets.background_results import figure_share

_NUM_DRAWN = 200  # images to pick the training examples from
_BATCH = 256
_DIGITS = 2  # of log-odds: more than a colour can show


@dataclass(frozen=True)
class BackgroundTest:
    """What the models are shown.

    Attributes:
        num_pictures: The number of test figures, each in front of both backgrounds.
        num_mapped: How many of them to average the share of the figure over.
        num_shown: How many of those the dial shows, with occlusion maps: large figures, of
            different classes.
        classes: The classes of the training examples, one row each.
        num_examples: The number of training examples in a row.
        seed: Which images; 1 gives figures that `load("shapes", seed=0)` does not train on.

    Raises:
        ValueError: There are fewer images than the dial shows.
    """

    num_pictures: int = 500
    num_mapped: int = 40
    num_shown: int = 3
    classes: tuple[int, ...] = (1, 6, 9)
    num_examples: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.num_shown <= self.num_mapped <= self.num_pictures:
            raise ValueError(
                f"of {self.num_pictures} pictures {self.num_mapped} cannot be mapped and "
                f"{self.num_shown} of those shown: give falling numbers from 1"
            )


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model, trained at one correlation.

    Attributes:
        name: The name for the reader.
        accuracy: The accuracy on true and on swapped backgrounds, each in [0, 1].
        fooled: The share of swapped images that it classifies by their background.
        on_figure: The share of its occlusion maps that lies on the figure, mean over images in
            front of true backgrounds, in [0, 1].
        answers: (K, 2), int64: its prediction for each image shown, true and swapped.
        maps: (K, 2, G, G), float32: the occlusion maps of these predictions, in log-odds.
    """

    name: str
    accuracy: tuple[float, float]
    fooled: float
    on_figure: float
    answers: Tensor
    maps: Tensor


@dataclass(frozen=True, eq=False)
class BackgroundResult:
    """Models trained at one background correlation, and what they were shown.

    Attributes:
        correlation: Of background and class in the training set, in [0, 1].
        models: The models, in the order of the dial.
        examples: (R, C, 3, 32, 32), uint8: images as in training, one class per row.
        example_labels: (R,), int64.
        example_families: (R, C), int64: the background of each, the number of a class.
        pictures: (K, 2, 3, 32, 32), uint8: test figures in front of both backgrounds.
        labels: (K,), int64.
        families: (K, 2), int64: the background of each.
        masks: (K, 32, 32), bool: where the figure is.
        area: The mean share of the image that the figure covers, in [0, 1].
    """

    correlation: float
    models: tuple[ModelResult, ...]
    examples: Tensor
    example_labels: Tensor
    example_families: Tensor
    pictures: Tensor
    labels: Tensor
    families: Tensor
    masks: Tensor
    area: float


def measure_backgrounds(
    models: Mapping[str, nn.Module],
    correlation: float,
    info: DataInfo,
    test: BackgroundTest = BackgroundTest(),
) -> BackgroundResult:
    """Measure trained models on true and on swapped backgrounds.

    Args:
        models: Trained on `shapes`, by the name that the dial shows; on any device.
        correlation: The background correlation that they were trained at, in [0, 1].
        info: What is known of the images that they were trained on; it says how to normalise.
        test: What to show them.

    Raises:
        ValueError: There is no model.
    """
    if not models:
        raise ValueError("there is no model to measure: give at least one by name")
    both = _test_pictures(test)
    shown = _large_and_different(both[0], test)
    examples = _examples(correlation, test)
    return BackgroundResult(
        correlation=correlation,
        models=tuple(_measure(name, m, both, shown, info, test) for name, m in models.items()),
        examples=_in_rows(examples.images, test),
        example_labels=torch.tensor(test.classes),
        example_families=_in_rows(examples.backgrounds, test),
        pictures=torch.stack([part.images[shown] for part in both], dim=1),
        labels=both[0].labels[shown],
        families=torch.stack([part.backgrounds[shown] for part in both], dim=1),
        masks=both[0].masks[shown],
        area=float(both[0].masks[: test.num_mapped].float().mean()),
    )


def _test_pictures(test: BackgroundTest) -> tuple[Shapes, Shapes]:
    """Return the same figures in front of true and of swapped backgrounds."""
    config = ShapesConfig(background_correlation=1.0)
    true, swapped = (
        make_shapes(test.num_pictures, config, torch.Generator().manual_seed(test.seed), kind)
        for kind in ("same", "swapped")
    )
    return true, swapped


def _large_and_different(part: Shapes, test: BackgroundTest) -> Tensor:
    """Return the positions of the largest figures among those mapped, one per class."""
    sizes = part.masks[: test.num_mapped].sum(dim=(1, 2))
    largest: dict[int, int] = {}
    for position in sizes.argsort(descending=True, stable=True).tolist():
        largest.setdefault(int(part.labels[position]), position)
    return torch.tensor(list(largest.values())[: test.num_shown])


def _examples(correlation: float, test: BackgroundTest) -> Shapes:
    """Return images as in training, the first of each class; the dial changes backgrounds only."""
    config = ShapesConfig(background_correlation=correlation)
    drawn = make_shapes(_NUM_DRAWN, config, torch.Generator().manual_seed(test.seed + 1))
    of_class = [(drawn.labels == label).nonzero()[: test.num_examples, 0] for label in test.classes]
    chosen = torch.cat(of_class)
    return Shapes(*(values[chosen] for values in drawn))


def _in_rows(values: Tensor, test: BackgroundTest) -> Tensor:
    return values.unflatten(0, (len(test.classes), test.num_examples))


def _measure(
    name: str,
    model: nn.Module,
    both: tuple[Shapes, Shapes],
    shown: Tensor,
    info: DataInfo,
    test: BackgroundTest,
) -> ModelResult:
    device = device_of_model(model)
    true, swapped = (_normalised(part, info).to(device) for part in both)
    answers = [_answers(model, part).cpu() for part in (true, swapped)]
    right = [float((answer == both[0].labels).float().mean()) for answer in answers]
    images = torch.stack([true[shown], swapped[shown]], dim=1)  # (K, 2, 3, H, W)
    found = occlusion(model, images.flatten(0, 1))
    sample = occlusion(model, true[: test.num_mapped]).maps.cpu()
    return ModelResult(
        name=name,
        accuracy=(right[0], right[1]),
        fooled=float((answers[1] == both[1].backgrounds).float().mean()),
        on_figure=float(figure_share(sample, both[0].masks[: test.num_mapped]).mean()),
        answers=found.answers.unflatten(0, (-1, 2)).cpu(),
        maps=found.maps.unflatten(0, (-1, 2)).cpu(),
    )


def _normalised(part: Shapes, info: DataInfo) -> Tensor:
    """Return all images as the model needs them, (N, 3, H, W)."""
    batches = Batches(part.images, part.labels, _BATCH, info.mean, info.std)
    return torch.cat([images for images, _ in batches])


@torch.no_grad()
def _answers(model: nn.Module, images: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    answers = torch.cat([model(batch).argmax(dim=1) for batch in images.split(_BATCH)])
    model.train(was_training)
    return answers


# --- As plain data ---------------------------------------------------------------------------


def as_state(results: Sequence[BackgroundResult]) -> dict[str, Any]:
    """Return results as the plain data of the widget, each image only once.

    Args:
        results: In any order; all measured with the same `BackgroundTest`.

    Returns:
        `pictures`: 32x32x3 bytes each, as base64; `tests` and `results`: what is shown, with the
        numbers of images instead of the images.

    Raises:
        ValueError: There is no result, two have one correlation, or the images shown differ.
    """
    ordered = sorted(results, key=lambda result: result.correlation)
    _check_results(ordered)
    pool: dict[str, int] = {}
    tests = _plain_tests(ordered[0], pool)
    plain = [_plain_result(result, pool) for result in ordered]
    return {"pictures": list(pool), "tests": tests, "results": plain}


def _check_results(results: Sequence[BackgroundResult]) -> None:
    if not results:
        raise ValueError("there is no result to show: measure at least one correlation")
    correlations = [result.correlation for result in results]
    if len(set(correlations)) < len(correlations):
        raise ValueError(f"correlations {correlations} contain one twice: keep one result of each")
    for result in results[1:]:
        if not torch.equal(result.pictures, results[0].pictures):
            raise ValueError("the results show different images: measure all with one test")
        if [m.name for m in result.models] != [m.name for m in results[0].models]:
            raise ValueError("the results are of different models: give all the same names")


def _number_in(pool: dict[str, int], picture: Tensor) -> int:
    """Return the number of an image (3, H, W) in the pool; add it if it is new."""
    text = base64.b64encode(picture.permute(1, 2, 0).numpy().tobytes()).decode()
    return pool.setdefault(text, len(pool))


def _plain_tests(result: BackgroundResult, pool: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "label": int(result.labels[k]),
            "pictures": [_number_in(pool, picture) for picture in result.pictures[k]],
            "families": result.families[k].tolist(),
            "mask": ["".join("01"[bit] for bit in row) for row in result.masks[k].int().tolist()],
        }
        for k in range(len(result.labels))
    ]


def _plain_result(result: BackgroundResult, pool: dict[str, int]) -> dict[str, Any]:
    return {
        "correlation": result.correlation,
        "area": round(result.area, 4),
        "examples": [[_number_in(pool, picture) for picture in row] for row in result.examples],
        "example_labels": result.example_labels.tolist(),
        "example_families": result.example_families.tolist(),
        "models": [_plain_model(model) for model in result.models],
    }


def _plain_model(model: ModelResult) -> dict[str, Any]:
    return {
        "name": model.name,
        "accuracy": [round(value, 4) for value in model.accuracy],
        "fooled": round(model.fooled, 4),
        "on_figure": round(model.on_figure, 4),
        "answers": model.answers.tolist(),
        "maps": _rounded(model.maps.tolist()),
    }


def _rounded(values: Any) -> Any:
    """Return nested lists of numbers with few digits, which take less room."""
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return round(values, _DIGITS)


def to_record(state: dict[str, Any], made_with: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a record.

    To take little room, the images keep 32 of 256 levels of brightness, finer than their noise.

    Args:
        state: As `as_state` returns it.
        made_with: How it was made, in JSON.
    """
    pictures = np.stack([np.frombuffer(base64.b64decode(p), np.uint8) for p in state["pictures"]])
    rest = {"tests": state["tests"], "results": state["results"], "made_with": made_with}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return {
        "pictures": pictures // 8 * 8 + 4,
        "text": np.frombuffer(text.encode(), np.uint8),
    }
