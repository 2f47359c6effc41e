import random
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import Augment, Batches, DataCorrupt
from course_utils.data.photos import Photos, has_header, read_photo, try_photo

RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(width=40, height=20):
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def save(picture, path, **settings):
    picture.save(path, **settings)
    return path


def corner(image, row, column):
    return tuple(image[:, row, column].tolist())


def test_the_shorter_side_is_resized_and_the_middle_cut_out(tmp_path):
    wide = Image.new("RGB", (60, 20), RED)
    wide.paste(BLUE, (20, 0, 40, 20))  # the middle third
    image = read_photo(save(wide, tmp_path / "a.png"), 10)
    assert image.shape == (3, 10, 10)
    assert image.dtype == torch.uint8
    assert corner(image, 5, 5) == BLUE
    assert image[2].float().mean() > 250
    tall = read_photo(save(wide.rotate(90, expand=True), tmp_path / "b.png"), 10)
    assert tall[2].float().mean() > 250


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = read_photo(save(Image.fromarray(pixels), tmp_path / "a.png"), 8)
    assert np.array_equal(image.permute(1, 2, 0).numpy(), pixels)


@pytest.mark.parametrize(
    "orientation, upper_left, lower_right",
    [(1, RED, BLUE), (2, BLUE, RED), (3, BLUE, RED), (6, RED, BLUE), (8, BLUE, RED)],
)
def test_a_photo_is_turned_as_the_camera_says(tmp_path, orientation, upper_left, lower_right):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = halves(20, 20)
    path = save(picture, tmp_path / "a.png", exif=exif)
    image = read_photo(path, 20)
    assert corner(image, 0, 0) == upper_left
    assert corner(image, 19, 19) == lower_right
    top = corner(image, 0, 19)
    assert top == (upper_left if orientation in (6, 8) else lower_right)


def test_grey_palette_and_cmyk_become_rgb(tmp_path):
    grey = read_photo(save(Image.new("L", (4, 4), 77), tmp_path / "grey.png"), 4)
    assert corner(grey, 0, 0) == (77, 77, 77)
    palette = halves(4, 4).convert("P", palette=Image.Palette.ADAPTIVE)
    image = read_photo(save(palette, tmp_path / "palette.gif"), 4)
    assert (corner(image, 0, 0), corner(image, 0, 3)) == (RED, BLUE)
    cmyk = read_photo(save(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), tmp_path / "c.jpg"), 4)
    assert corner(cmyk, 0, 0) == (255, 255, 255)
    bits = read_photo(save(Image.new("1", (4, 4), 1), tmp_path / "bits.png"), 4)
    assert corner(bits, 0, 0) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 0x8080, dtype=np.uint16))
    image = read_photo(save(deep, tmp_path / "deep.png"), 4)
    assert corner(image, 0, 0) == (128, 128, 128)


def test_white_shows_through_transparent_pixels(tmp_path):
    glass = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    glass.paste((255, 0, 0, 255), (0, 0, 2, 4))
    image = read_photo(save(glass, tmp_path / "glass.png"), 4)
    assert corner(image, 0, 0) == RED
    assert corner(image, 0, 3) == (255, 255, 255)
    grey = Image.new("LA", (4, 4), (0, 0))
    assert corner(read_photo(save(grey, tmp_path / "la.png"), 4), 0, 0) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0])
    path = save(palette, tmp_path / "p.png", transparency=0)
    assert corner(read_photo(path, 4), 0, 0) == (255, 255, 255)


def test_a_large_jpeg_keeps_its_detail(tmp_path):
    """Decoding at a reduced size must not lose what fits the result."""
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, (np.arange(512) // 16) % 2 == 0] = 255
    image = read_photo(save(Image.fromarray(stripes), tmp_path / "a.jpg", quality=95), 64)
    columns = image[0].float().mean(dim=0)
    assert columns[0::4].mean() > 200
    assert columns[2::4].mean() < 55


def broken_files(folder):
    whole = save(halves(200, 200), folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.jpg").write_bytes(b"")
    return [folder / name for name in ("cut.jpg", "text.png", "empty.jpg")]


def test_broken_files_are_none(tmp_path):
    for path in [*broken_files(tmp_path), tmp_path / "absent.jpg"]:
        assert try_photo(path, 8) is None
        with pytest.raises(OSError):
            read_photo(path, 8)


def test_a_look_at_the_header_finds_what_is_no_picture(tmp_path):
    cut, text, empty = broken_files(tmp_path)
    assert [has_header(path) for path in (cut, text, empty)] == [True, False, False]


@pytest.fixture
def album(tmp_path):
    """Twelve pictures in grey, each as bright as ten times its number."""
    return [save(Image.new("L", (9, 7), 10 * i), tmp_path / f"{i:02}.png") for i in range(12)]


def brightness(images):
    return images[:, 0, 0, 0].int().tolist()


def test_photos_are_indexed_as_a_tensor_would_be(album):
    photos = Photos(album, torch.arange(12), 4)
    assert photos.shape == (12, 3, 4, 4)
    assert brightness(photos[[3, 1]]) == [30, 10]
    assert brightness(photos[torch.tensor([0, 11])]) == [0, 110]
    assert brightness(photos[2:5]) == [20, 30, 40]
    assert photos[-1].shape == (3, 4, 4)
    chosen = photos.select(torch.tensor([5, 2]))
    assert brightness(chosen[:]) == [50, 20]
    assert chosen.labels.tolist() == [5, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_from_files_equals_one_from_memory(album, workers):
    photos = Photos(album, torch.arange(12), 4, workers)

    def batches(images):
        return Batches(
            images,
            torch.arange(12),
            5,
            (0.5,) * 3,
            (0.25,) * 3,
            shuffle=True,
            augment=Augment(crop_padding=1, flip=True, cutout=1, erase=0.5),
            generator=torch.Generator().manual_seed(0),
        )

    from_files, from_memory = batches(photos), batches(photos[:])
    for _ in range(2):
        for (images, labels), (same, same_labels) in zip(from_files, from_memory, strict=True):
            assert torch.equal(images, same)
            assert torch.equal(labels, same_labels)


def test_reading_ahead_leaves_the_global_generators_alone(album):
    photos = Photos(album, torch.arange(12), 4, workers=1)
    torch.manual_seed(0)
    random.seed(0)
    expected = torch.rand(2), random.random()
    torch.manual_seed(0)
    random.seed(0)
    list(photos.batches([torch.arange(12)]))
    assert torch.equal(torch.rand(2), expected[0])
    assert random.random() == expected[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_photo_that_breaks_later_is_left_out_with_a_warning(album, workers):
    photos = Photos(album, torch.arange(12), 4, workers)
    album[4].write_bytes(album[4].read_bytes()[:20])
    batches = Batches(photos, torch.arange(12), 6, (0.0,) * 3, (1.0,) * 3)
    with pytest.warns(UserWarning, match=r"left out, cannot be read: .*04\.png"):
        labels = [labels.tolist() for _, labels in batches]
    assert labels == [[0, 1, 2, 3, 5], [6, 7, 8, 9, 10, 11]]


def test_a_batch_without_a_single_readable_photo_is_passed_over(album):
    for path in album[:3]:
        path.write_bytes(b"")
    batches = Batches(
        Photos(album, torch.arange(12), 4, 0), torch.arange(12), 3, (0,) * 3, (1,) * 3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [labels.tolist()[0] for _, labels in batches] == [3, 6, 9]


def test_what_can_be_read_of_some_photos(album):
    album[0].write_bytes(b"")
    photos = Photos(album, torch.arange(12), 4)
    assert brightness(photos.readable(torch.tensor([0, 1, 2]))) == [10, 20]
    with pytest.raises(DataCorrupt, match="none of 1 pictures"):
        photos.readable(torch.tensor([0]))
