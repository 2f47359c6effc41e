"""The trained nets that come with the course: those of the records, whole, and harmless to load."""

import hashlib
import json

import pytest
import torch

from course_utils import data, models
from course_utils.models import pretrained
from course_utils.training import records


@pytest.mark.parametrize("name", models.pretrained_names())
def test_a_net_is_that_of_its_record(name):
    """All but a few of the 2,000 test images are classified as they were in 32 bits."""
    found, net = records.load(name), pretrained(name)
    assert not net.training and {p.dtype for p in net.parameters()} == {torch.float32}
    assert sum(p.numel() for p in net.parameters()) == found.num_parameters
    part = data.load(found.experiment["data"], batch_size=500).test
    with torch.no_grad():
        guesses = torch.cat([net(images).argmax(dim=1) for images, _ in part])
    labels = torch.cat([labels for _, labels in part])
    assert ((guesses == labels) != found.right[0]).sum() <= 10


def test_they_are_small():
    sizes = [
        pretrained.__globals__["RECORDS"].joinpath(f"{name}.safetensors").stat().st_size
        for name in models.pretrained_names()
    ]
    assert 0 < sum(sizes) < 12e6


def test_an_unknown_name_is_answered():
    with pytest.raises(ValueError, match="there is no trained net 'resnet': choose from "):
        pretrained("resnet")


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """One net's two files, in a folder of their own."""
    name, folder = models.pretrained_names()[0], pretrained.__globals__["RECORDS"]
    for suffix in (".json", ".safetensors"):
        (tmp_path / (name + suffix)).write_bytes(folder.joinpath(name + suffix).read_bytes())
    monkeypatch.setitem(pretrained.__globals__, "RECORDS", tmp_path)
    return tmp_path / f"{name}.safetensors"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1])])
def test_a_damaged_file_is_refused(copied, damage):
    copied.write_bytes(damage(copied.read_bytes()))
    with pytest.raises(ValueError, match="are damaged: install the course again"):
        pretrained(copied.stem)


def test_what_it_was_trained_on_is_said(copied):
    about = json.loads(copied.with_suffix(".json").read_text("utf-8"))["weights"]
    assert about["images"].startswith("Fashion-MNIST") and about["licence_of_images"]
    assert about["sha256"] == hashlib.sha256(copied.read_bytes()).hexdigest()
