import shutil

import pytest
import torch

from course_utils.data import DataCorrupt, fashion_mini


@pytest.fixture(scope="module")
def raw():
    return fashion_mini.read_fashion_mini()


def test_both_parts_have_their_size_and_are_balanced(raw):
    assert raw.train.images.shape == (10_000, 1, 28, 28)
    assert raw.test.images.shape == (2_000, 1, 28, 28)
    assert raw.train.images.dtype == torch.uint8
    assert torch.bincount(raw.train.labels).tolist() == [1000] * 10
    assert torch.bincount(raw.test.labels).tolist() == [200] * 10


def test_the_pictures_are_what_their_labels_say(raw):
    """Trousers are two legs with a gap: dark between them, far down in the middle."""
    trousers = raw.train.images[raw.train.labels == fashion_mini.CLASSES.index("Trouser")]
    bottom = trousers[:, 0, 22:26].double().mean(dim=(0, 1))  # (28,) columns
    assert bottom[13:15].mean() < 0.5 * max(bottom[:13].max(), bottom[15:].max())


def test_no_test_picture_is_also_a_training_picture(raw):
    train = {image.numpy().tobytes() for image in raw.train.images}
    assert not any(image.numpy().tobytes() in train for image in raw.test.images)


def test_the_licence_lies_beside_the_pictures():
    licence = fashion_mini.FILE.with_suffix(".LICENSE.txt").read_text()
    assert "Zalando SE" in licence
    assert "Permission is hereby granted, free of charge" in licence


def test_they_are_unpacked_once_and_nobody_s_copy_is_another_s(raw, monkeypatch):
    monkeypatch.setattr(fashion_mini.np, "load", lambda file: pytest.fail("unpacked again"))
    again = fashion_mini.read_fashion_mini()
    again.test.images.zero_()
    again.train.labels.zero_()
    assert torch.equal(fashion_mini.read_fashion_mini().test.images, raw.test.images)
    assert torch.equal(fashion_mini.read_fashion_mini().train.labels, raw.train.labels)


def test_one_flipped_byte_is_noticed(tmp_path, monkeypatch):
    copy = tmp_path / "copy.npz"
    shutil.copy(fashion_mini.FILE, copy)
    content = bytearray(copy.read_bytes())
    content[3_000_000] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(fashion_mini, "FILE", copy)
    with pytest.raises(DataCorrupt, match=r"copy\.npz is damaged .* install the course again"):
        fashion_mini.read_fashion_mini()


def test_a_missing_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mini, "FILE", tmp_path / "absent.npz")
    with pytest.raises(DataCorrupt, match=r"absent\.npz is missing: install the course again"):
        fashion_mini.read_fashion_mini()
