"""Wrong arguments to `data.load`: each ends in a sentence of ours that names it."""

import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils import data

FEW = {"num_train": 40, "num_test": 20}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-100, 100) | st.integers(min_value=10**6),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals(),
    st.dates(),
    st.lists(st.integers(), max_size=3),
    st.tuples(st.floats(), st.floats()),
    st.dictionaries(st.text(), st.integers(), max_size=2),
    st.sampled_from(
        [
            *(np.int8(-3), np.uint8(200), np.float32("nan"), np.bool_(True), np.array([1, 2])),
            *(np.array("a"), torch.tensor(3), torch.tensor([1, 2]), torch.zeros(0), object(), int),
            *(Path("photos"), Path("~nobody/photos"), "~nobody/x", "a\0b", "", 10**400, "cuda:99"),
        ]
    ),
)
ARGUMENTS = ["batch_size", "root", "device", "augment", "generator", "limit", "val_fraction"]
ARGUMENTS += ["limit_evaluation"]
OPTIONS = ["num_train", "num_test", "seed", "position", "background_correlation"]


def is_ours(error):
    """Whether an exception was raised by a line of the package, and not by what it calls."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = "course_utils" in Path(last.filename).parts and last.line.startswith("raise ")
    return ours and type(error) in (ValueError, data.DataUnavailable, data.DataCorrupt)


def load(name="shapes", **arguments):
    """Load, and go through an epoch; give back the message where that is refused."""
    try:
        loaders = data.load(name, **{"batch_size": 8, **arguments})
        return sum(len(labels) for _, labels in loaders.train)
    except Exception as error:
        assert is_ours(error), repr(error)
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ARGUMENTS + OPTIONS), ANYTHING)
def test_any_argument_is_used_or_refused_by_name(name, value):
    outcome = load(**FEW | {name: value})
    assert name in outcome if isinstance(outcome, str) else outcome > 0


@settings(max_examples=200, deadline=None)
@given(ANYTHING | st.text().map(lambda text: f"imagefolder:no/such/{text}"))
def test_any_name_is_refused_in_words(name):
    outcome = load(name)
    assert "imagefolder:" in outcome or "PATH = " in outcome


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(["image_size", "test_fraction"]), value=ANYTHING)
def test_any_option_of_a_folder_is_used_or_refused_by_name(tmp_path_factory, name, value):
    folder = tmp_path_factory.getbasetemp() / "pets"
    for kind in ("cat", "dog"):
        for i in range(3):
            path = folder / kind / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 40 * i).save(path)
    outcome = load(f"imagefolder:{folder}", root=folder.parent / "data", **{name: value})
    assert name in outcome if isinstance(outcome, str) else outcome > 0


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(data.names()), st.text(min_size=1), ANYTHING)
def test_an_unknown_option_is_refused_before_anything_is_read(name, option, value):
    outcome = load(name, **{f"un{option}": value})
    assert f"{name} has no option" in outcome


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"batch_size": "hello"}, "batch_size = 'hello' is not a whole number: give an integer"),
        ({"batch_size": 64.0}, "batch_size = 64.0 is not a whole number: give an integer"),
        ({"limit": 1e3}, "limit = 1000.0 is not a whole number: give an integer"),
        ({"val_fraction": "10%"}, "val_fraction = '10%' is not a number: give one"),
        ({"augment": True}, "augment = True is not an Augment: give data.Augment(...) or None"),
        (
            {"generator": 0},
            "generator = 0 is not a Generator: give torch.Generator().manual",
        ),
        ({"device": "gpu"}, "there is no device 'gpu' here: use 'cpu'"),
        ({"root": 3}, "root = 3 is not a path: give that of a file or a folder"),
        ({"root": "~nobody-of-this-name/x"}, "root = '~nobody-of-this-name/x' is not a path"),
    ],
)
def test_what_a_learner_may_try(wrong, text):
    """A batch size that is a word was taken in pytorch/pytorch#6168."""
    assert text in load(**FEW | wrong)


@pytest.mark.parametrize("size", [0, -4, True, 8.0, "8", None, [8]])
def test_a_batch_has_a_whole_number_of_images(size):
    assert load(**FEW | {"batch_size": size}).startswith("batch_size = ")


def test_a_batch_larger_than_the_data_holds_all_of_it():
    loaders = data.load("shapes", batch_size=10_000, **FEW)
    assert [len(labels) for _, labels in loaders.train] == [loaders.train.num_images]


def test_a_limit_above_the_number_of_images_keeps_them_all():
    """As with the profile's limit for somebody's own few photos."""
    everything = data.load("shapes", batch_size=8, **FEW)
    limited = data.load("shapes", batch_size=8, limit=10_000, **FEW)
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(everything, part).images, getattr(limited, part).images)


@pytest.mark.parametrize("option", [{"num_workers": -1}, {"num_workers": 2}, {"drop_last": True}])
def test_what_only_a_dataloader_has_is_refused_by_name(option):
    [name] = option
    assert load(**option).startswith(f"shapes has no option {name!r}: it has num_train, ")


def test_a_path_in_the_place_of_a_name_says_what_to_write():
    assert load(Path("my/photos")) == (
        f"name = {Path('my/photos')!r}: for a folder of images write 'imagefolder:my/photos'"
    )


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64])
def test_whole_numbers_of_numpy_are_as_good_as_pythons(kind):
    """In eight bits, 3 * 120 * 120 would overflow."""
    ours = data.load("shapes", batch_size=8, limit=20, **FEW)
    theirs = data.load("shapes", batch_size=kind(8), limit=kind(20), **FEW)
    for (images, labels), (same, same_labels) in zip(ours.train, theirs.train, strict=True):
        assert torch.equal(images, same)
        assert torch.equal(labels, same_labels)


def test_the_home_folder_may_be_short_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for kind in ("cat", "dog"):
        for i in range(2):
            (tmp_path / "pets" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 40 * i).save(tmp_path / "pets" / kind / f"{i}.png")
    assert data.status("imagefolder:~/pets") == f"on disk: {tmp_path / 'pets'}"
    data.load("imagefolder:~/pets", batch_size=2, root="~/data")
    assert list((tmp_path / "data/decoded").iterdir())
    monkeypatch.setenv("COURSE_DATA", "~/other")
    data.load("imagefolder:~/pets", batch_size=2)
    assert list((tmp_path / "other/decoded").iterdir())
