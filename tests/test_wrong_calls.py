"""Whatever is passed to the calls that lessons make, they work or refuse in a sentence of ours."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import ANYTHING, WRONG, refusal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import inspection, quiz, widgets
from course_utils.data import Loaders
from course_utils.quiz.widget import QuizWidget
from course_utils.training import TrainConfig, fit

STRANGE = [
    *(torch.zeros(0), torch.ones(2, 2), torch.tensor(math.nan), torch.zeros(1, device="meta")),
    *(np.zeros((2, 2)), np.array("a"), "cuda:99", "a\0b", "conv", b"conv", {"a": 1}, {1, 2}),
    *([[1, 2], [3]], [[]], [[10**400]], [[math.nan]], [["a"]], [[None]], [[1e300] * 3] * 3),
    *([[1.0] * 99] * 99, nn.Linear(1, 1), nn.Module, TrainConfig, len, range(3), 10**400),
]
VALUES = [*WRONG, *STRANGE]
ANY = ANYTHING | st.sampled_from(STRANGE)

IMAGES, LABELS = torch.rand(2, 1, 8, 8), torch.tensor([0, 2])
MODEL = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
DIRECTION = {name: torch.ones_like(parameter) for name, parameter in MODEL.named_parameters()}
PART = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=2)
RIGHT = {
    "model": MODEL,
    "input_size": (1, 8, 8),
    "images": IMAGES,
    "picture": IMAGES,
    "targets": LABELS,
    "maps": IMAGES[:, 0],
    "masks": IMAGES[:, 0] > 0.5,
    "layers": ["0"],
    "generator": torch.Generator().manual_seed(0),
    "batches": [(IMAGES, LABELS)],
    "direction": DIRECTION,
    "directions": (DIRECTION, DIRECTION),
    "positions": [0.0, 1.0],
    "loaders": Loaders(PART, PART, PART, None),
    "config": TrainConfig(epochs=1),
}


def look(model, layers):
    with inspection.capture(model, layers) as seen:
        model(IMAGES)
    return seen


CALLS = {name: getattr(inspection, name) for name in (
    *("summary", "FieldTracker", "saliency", "grad_cam", "last_conv", "share_on_mask"),
    *("occlusion", "random_direction", "loss_along", "loss_surface"),
)} | {"capture": look, "fit": fit}  # fmt: skip
ARGUMENTS = [(call, name) for call in CALLS for name in inspect.signature(CALLS[call]).parameters]


def called(call, **wrong):
    """Return the sentence that a call is refused with, or None; one argument is wrong."""
    names = inspect.signature(CALLS[call]).parameters
    given = {name: RIGHT[name] for name in names if name in RIGHT}
    if call == "occlusion":
        given |= {"patch": 4}
    return refusal(lambda: CALLS[call](**given | wrong))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Where a path that happens to be right does no harm."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("call", CALLS)
def test_right_arguments_are_taken(call):
    assert called(call) is None


@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_a_wrong_argument_is_used_or_refused_in_one_sentence(call, name):
    for value in VALUES:
        called(call, **{name: value})


@pytest.mark.parametrize(
    ("call", "name"),
    [pair for pair in ARGUMENTS if pair[1] in RIGHT and pair[1] not in ("layers", "positions")],
)
def test_what_a_call_needs_is_refused_by_its_name(call, name):
    for value in ["3", None, 7, [1, 2, 3], object(), len]:
        found = called(call, **{name: value})
        if (call, name, value) != ("last_conv", "images", None):  # its default
            assert found, f"{name} = {value!r} passes"
            assert name.rstrip("s").replace("_", " ") in found.replace("_", " "), found


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.parametrize("call", CALLS)
def test_any_argument_is_used_or_refused_in_one_sentence(call, data):
    names = inspect.signature(CALLS[call]).parameters.keys() - {"checkpoint"}
    name = data.draw(st.sampled_from(sorted(names)), label="name")
    called(call, **{name: data.draw(ANY, label=name)})


# --- Training ----------------------------------------------------------------------------------

FIELDS = [field.name for field in dataclasses.fields(TrainConfig)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(name=st.sampled_from(FIELDS), value=ANY)
def test_any_setting_of_a_run_is_right_or_refused_by_its_name(name, value):
    """Others take a rate below 0 (tinygrad/tinygrad#15576) or a text (weecology/DeepForest#881)."""
    found = refusal(lambda: TrainConfig(**{name: value}))
    assert found is None or name in found
    if found is None:
        kept = getattr(TrainConfig(**{name: value}), name)
        assert type(kept) in (int, float, bool, str, type(None))


@pytest.mark.parametrize("wrong", ["on_epoch_end", "checkpoint_steps", "device", "config"])
def test_a_run_is_refused_before_it_changes_a_weight(wrong):
    before = MODEL[0].weight.clone()
    for value in (["print"], [3], 2.5, True, "cuda:99", object()):
        assert called("fit", **{wrong: value}), f"{wrong} = {value!r} passes"
    assert torch.equal(before, MODEL[0].weight)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_batch_larger_than_the_data_is_named_where_none_is_left(part):
    """Named so in PaddlePaddle/PaddleScience#355; an error elsewhere in RasmussenLab/vamb#425."""
    empty = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=64, drop_last=True)
    loaders = dataclasses.replace(RIGHT["loaders"], **{part: empty})
    found = called("fit", loaders=loaders)
    assert f"loaders.{part} has 2 images but not one batch" in found
    assert "drop_last=True" in found and "batch size than 64" in found


# --- Widgets -----------------------------------------------------------------------------------

WIDGETS = {name: getattr(widgets, name) for name in widgets.__all__} | {"QuizWidget": QuizWidget}
SETTINGS = [
    (widget, name)
    for widget in WIDGETS
    for name in {
        *(inspect.signature(WIDGETS[widget]).parameters.keys() - {"settings"}),
        *(WIDGETS[widget]().state() if widget != "QuizWidget" else ()),
    }
]


def shown_widget(widget, **wrong):
    """Return the sentence a widget refuses with; one that it takes is drawn and told as well."""

    def make():
        made = WIDGETS[widget](**wrong)
        assert made.describe()
        if not {"tests", "results", "pictures"} & wrong.keys():  # its own records
            made.result() if widget != "QuizWidget" else None

    return refusal(make)


@pytest.mark.parametrize(("widget", "name"), sorted(SETTINGS))
def test_a_widget_takes_a_setting_or_refuses_it_in_one_sentence(widget, name):
    """Infinity is the usual one: jupyter-widgets/ipywidgets#1531, and plotly/plotly.py#3470."""
    for value in VALUES:
        shown_widget(widget, **{name: value})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.parametrize("widget", WIDGETS)
def test_a_widget_takes_anything_or_refuses_it_in_one_sentence(widget, data):
    names = sorted(name for owner, name in SETTINGS if owner == widget)
    name = data.draw(st.sampled_from(names), label="name")
    shown_widget(widget, **{name: data.draw(ANY, label=name)})


@pytest.mark.parametrize("widget", [name for name in WIDGETS if name != "QuizWidget"])
def test_a_setting_that_a_widget_does_not_have_is_refused(widget):
    found = shown_widget(widget, strides=2)
    assert found.startswith("a setting = 'strides' is unknown: choose from ")


@pytest.mark.parametrize("value", [None, 7, "7", "13_resnet ", ["13_resnet"], object()])
def test_a_quiz_that_is_none_is_refused(value):
    assert "there is no quiz" in refusal(lambda: quiz.show(value))
    assert "there is no quiz" in refusal(lambda: quiz.load(value))
