"""Measuring models of known behaviour; results as plain data, and as a record."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts import load_script
from torch import nn

from course_utils.data import DataInfo
from course_utils.data.shapes import CLASSES
from course_utils.widgets.background_results import RECORD, figure_share, made_with, recorded

tool = load_script("tools/measure_backgrounds.py")
as_state, measure_backgrounds, to_record = tool.as_state, tool.measure_backgrounds, tool.to_record
TEST = tool.BackgroundTest(num_pictures=100, num_mapped=10, num_shown=3)
INFO = DataInfo("shapes", CLASSES, (3, 32, 32), (0.5,) * 3, (0.25,) * 3, "formulas", "MIT")


class Always(nn.Module):
    """Gives every picture the same class."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = images.new_zeros(len(images), 10)
        logits[:, self.answer] = 5.0
        return logits


class Corner(nn.Module):
    """Looks at nothing but the upper left 4x4 pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        sums = images[:, :, :4, :4].sum(dim=(1, 2, 3))
        return torch.stack([sums * k for k in range(10)], dim=1)


@pytest.fixture(scope="module")
def result() -> tool.BackgroundResult:
    return measure_backgrounds({"zero": Always(0), "corner": Corner()}, 0.5, INFO, TEST)


def test_a_constant_answer_is_right_for_its_class_and_never_explained(
    result: tool.BackgroundResult,
) -> None:
    zero = result.models[0]
    assert zero.accuracy == pytest.approx((0.1, 0.1))
    assert 0 < zero.fooled < 0.25  # the swapped background happens to be that of class 0
    assert zero.maps.abs().max() == 0 and zero.on_figure == 0
    assert zero.answers.tolist() == [[0, 0]] * 3


def test_a_map_lies_where_the_model_looks(result: tool.BackgroundResult) -> None:
    maps = result.models[1].maps  # (K, 2, 8, 8)
    assert maps.shape == (3, 2, 8, 8)
    assert maps[:, :, 0, 0].abs().min() > 0
    assert maps[:, :, 2:].abs().max() == 0 and maps[:, :, :, 2:].abs().max() == 0
    assert result.models[1].on_figure < 0.05


def test_figures_stay_and_backgrounds_change(result: tool.BackgroundResult) -> None:
    assert result.families[:, 0].tolist() == result.labels.tolist()
    assert (result.families[:, 1] != result.labels).all()
    assert len(set(result.labels.tolist())) == 3
    true, swapped = result.pictures.float().unbind(dim=1)
    change = (true - swapped).abs().mean(dim=1)  # (K, 32, 32)
    inside = result.masks & ~nn.functional.max_pool2d(1.0 - result.masks.float(), 3, 1, 1).bool()
    assert inside.sum() > 50
    assert change[inside].max() <= 1
    assert change[~result.masks].mean() > 20
    assert 0.05 < result.area < 0.3


def test_examples_differ_from_dial_to_dial_in_their_backgrounds_alone() -> None:
    models = {"zero": Always(0)}
    none, all_ = (measure_backgrounds(models, rho, INFO, TEST) for rho in (0.0, 1.0))
    own = all_.example_labels[:, None]
    assert (all_.example_families == own).all()
    assert (none.example_families != own).float().mean() > 0.5
    kept = (none.example_families == own)[:, :, None, None, None]
    assert torch.equal(none.examples * kept, all_.examples * kept)


def test_share_of_a_map_on_the_figure() -> None:
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[0, :4, :4] = True
    mask[0, 4, 4] = True
    maps = torch.tensor([[[3.0, -1.0], [0.0, 2.0]]])
    assert figure_share(maps, mask).item() == pytest.approx((3 + 2 / 16) / 6)
    assert figure_share(maps * 0, mask).item() == 0


def test_every_picture_is_sent_once(result: tool.BackgroundResult) -> None:
    state = as_state([result, replace(result, correlation=0.25)])
    assert [r["correlation"] for r in state["results"]] == [0.25, 0.5]
    assert len(state["pictures"]) == len(set(state["pictures"])) == 12 + 6
    first = state["tests"][0]
    sent = np.frombuffer(base64.b64decode(state["pictures"][first["pictures"][1]]), np.uint8)
    wanted = result.pictures[0, 1].permute(1, 2, 0)
    assert np.array_equal(sent.reshape(32, 32, 3), wanted.numpy())
    assert sum(row.count("1") for row in first["mask"]) == int(result.masks[0].sum())
    assert json.loads(json.dumps(state)) == state


def test_results_that_do_not_belong_together_are_refused(result: tool.BackgroundResult) -> None:
    other = replace(result, correlation=0.1, pictures=255 - result.pictures)
    renamed = replace(result, correlation=0.1, models=result.models[:1])
    for results, message in (
        ([], "measure at least one"),
        ([result, result], "contain one twice"),
        ([result, other], "different images"),
        ([result, renamed], "different models"),
    ):
        with pytest.raises(ValueError, match=message):
            as_state(results)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="of 20 pictures 40 cannot be mapped"):
        tool.BackgroundTest(num_pictures=20)
    with pytest.raises(ValueError, match="no model to measure"):
        measure_backgrounds({}, 0.5, INFO, TEST)


def test_a_record_gives_back_what_it_was_given(
    result: tool.BackgroundResult, tmp_path: Path
) -> None:
    state = as_state([result])
    path = tmp_path / "record.npz"
    np.savez(path, **to_record(state, {"seed": 3}))
    back = recorded(path)
    assert back["results"] == state["results"] and back["tests"] == state["tests"]
    assert made_with(path) == {"seed": 3}

    def pixels(pictures: list[str]) -> np.ndarray:
        return np.array([list(base64.b64decode(p)) for p in pictures])

    difference = np.abs(pixels(back["pictures"]) - pixels(state["pictures"]))
    assert difference.max() == 4  # of 255, far below the noise in the pictures


@pytest.mark.parametrize("content", [b"", b"PK nonsense"])
def test_a_file_that_is_no_record_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.npz is not a record .*record_backgrounds"):
        recorded(path)


def test_the_shipped_record_is_small_and_says_how_it_was_made() -> None:
    assert RECORD.stat().st_size < 60_000
    how = made_with()
    assert how["command"] == "python tools/record_backgrounds.py"
    assert how["data"]["seed"] == 0 and how["training"]["epochs"] == 10
    assert set(how["models"]) == {"MLP", "convnet"}


def test_the_shipped_record_shows_what_the_lesson_says() -> None:
    def of(name: str, key: str) -> dict[float, Any]:
        return {
            r["correlation"]: next(m for m in r["models"] if m["name"] == name)[key]
            for r in recorded()["results"]
        }

    mlp, convnet = of("MLP", "accuracy"), of("convnet", "accuracy")
    assert min(mlp) == 0 and max(mlp) == 1
    for accuracy in (mlp, convnet):
        assert abs(accuracy[0][0] - accuracy[0][1]) < 0.05  # nothing to learn from backgrounds
        assert accuracy[1][0] > 0.95 and accuracy[1][1] < 0.1  # nothing to learn from figures
    assert convnet[0.6][1] > mlp[0.6][1] + 0.5  # the convnet is led astray later, but it is
    assert convnet[0][0] > 0.8 and mlp[0][0] < 0.5
    assert of("convnet", "on_figure")[0.0] > 2 * of("MLP", "on_figure")[0.0]
    assert of("convnet", "on_figure")[1.0] < of("convnet", "on_figure")[0.0] / 2
