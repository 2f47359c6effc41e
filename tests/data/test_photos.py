import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile, ImageOps

from course_utils.data.photos import read_photo, try_photo

RED, BLUE = (255, 0, 0), (0, 0, 255)
RAMP = np.linspace(0, 1, 256).reshape(16, 16)  # its mean in bytes is 127.5


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


def tiff(values, bits, photometric=1, sample_format=1):
    """The bytes of a TIFF of one strip of grey values, of kinds that Pillow does not write."""
    height, width = values.shape
    pixels = values.tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: 1, 278: height}
    tags |= {273: 8 + 2 + 12 * 10 + 4, 279: len(pixels), 339: sample_format}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + rows + bytes(4) + pixels


def pgm(values, highest):
    return f"P5 16 16 {highest}\n".encode() + values.astype(">u2").tobytes()


def deep(highest, dtype="<u2"):
    return np.rint(RAMP * highest).astype(dtype)


def saved(picture, kind):
    def write(path):
        picture.save(path, kind)

    return write


def in_bytes(content):
    return lambda path: path.write_bytes(content)


GREYS = {
    "8 bits": saved(Image.fromarray(deep(255, np.uint8)), "PNG"),
    "PNG of 16 bits": saved(Image.fromarray(deep(65535)), "PNG"),
    "JPEG 2000 of 16 bits": saved(Image.fromarray(deep(65535)), "JPEG2000"),
    "TIFF of 16 bits": saved(Image.fromarray(deep(65535)), "TIFF"),
    "TIFF of 16 bits, the other byte first": saved(
        Image.frombytes("I;16B", (16, 16), deep(65535, ">u2").tobytes()), "TIFF"
    ),
    "TIFF of 16 bits, 0 is white": in_bytes(tiff(deep(65535)[::-1, ::-1], 16, photometric=0)),
    "TIFF of floats": saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "PGM of 16 bits": in_bytes(pgm(deep(65535), 65535)),
    "PGM of 12 bits": in_bytes(pgm(deep(4095), 4095)),
    "PGM of 10 bits": in_bytes(pgm(deep(1000), 1000)),
}


@pytest.mark.parametrize("kind", GREYS)
def test_grey_values_are_scaled_by_the_range_of_their_format(tmp_path, kind):
    """A converter that cuts at 255 instead makes nearly all of these white: Pillow's
    documentation warns of it since python-pillow/Pillow#2574 and #3011."""
    GREYS[kind](tmp_path / "grey")
    image = read_photo(tmp_path / "grey", 16).double()
    assert image.mean() == pytest.approx(127.5, abs=1)
    assert image[0].numpy() == pytest.approx(255 * RAMP, abs=1)
    assert torch.equal(image[0], image[2])


def test_values_of_twelve_bits_are_white_at_their_own_end(tmp_path):
    """Two values of 12 bits share three bytes: 0xFFF and 0x800 are FF F8 00."""
    row = np.frombuffer(b"\xff\xf8\x00", dtype=np.uint8)
    content = tiff(np.tile(row, (2, 1)), 12).replace(
        struct.pack("<HHII", 256, 4, 1, 3), struct.pack("<HHII", 256, 4, 1, 2)
    )
    (tmp_path / "a.tif").write_bytes(content)
    assert read_photo(tmp_path / "a.tif", 2)[0].tolist() == [[255, 128], [255, 128]]


@pytest.mark.parametrize(
    "write, reason",
    [
        (in_bytes(tiff(deep(65535, "<u4"), 32)), "go from 0 to 65535, but it does not say which"),
        (saved(Image.fromarray(deep(65535, np.int32)), "TIFF"), "signed whole numbers"),
        (saved(Image.fromarray((RAMP * 3).astype(np.float32)), "TIFF"), "go from 0 to 3, but"),
        (saved(Image.fromarray((RAMP - 1).astype(np.float32)), "TIFF"), "go from -1 to 0, but"),
        (saved(Image.fromarray(np.float32([[np.nan]])), "TIFF"), "go from nan to nan"),
        (in_bytes(tiff(deep(100, "<i2"), 16, sample_format=2)), "signed whole numbers"),
        (in_bytes(tiff(deep(100, "i1"), 8, sample_format=2)), "signed whole numbers"),
    ],
)
def test_values_of_no_known_range_are_refused_and_named(tmp_path, write, reason):
    """Float images can hold anything: menpo/menpo#516 refuses those outside 0 to 1, too."""
    write(tmp_path / "a.tif")
    said = try_photo(tmp_path / "a.tif", 4)
    assert reason in said
    assert said.endswith("save it as a PNG or JPEG of 8 bits")


@pytest.mark.parametrize(
    "mode", ["RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "P", "L", "LA", "PA", "1"]
)
@pytest.mark.parametrize("shade", [0, 255])
def test_black_and_white_are_black_and_white_in_every_mode(tmp_path, mode, shade):
    picture = Image.new("L", (6, 6), shade).convert("RGB").convert(mode, dither=None)
    save(picture, tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as file:
        assert file.mode == ("RGB" if mode == "RGBX" else mode)
    assert read_photo(tmp_path / "a.tif", 6).unique().tolist() == pytest.approx([shade], abs=1)


def test_a_transparent_grey_of_sixteen_bits_is_white(tmp_path):
    picture = Image.fromarray(np.full((4, 4), 1000, dtype=np.uint16))
    path = save(picture, tmp_path / "a.png", transparency=1000)
    assert corner(read_photo(path, 4), 0, 0) == (255, 255, 255)


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


def test_damaged_notes_about_a_photo_do_not_damage_it(tmp_path):
    """An EXIF block that is none, as in python-pillow/Pillow#8348, says nothing of the pixels."""
    path = tmp_path / "a.png"
    halves(20, 20).save(path, exif=b"Exif\x00\x00this is no TIFF, as it should be")
    with Image.open(path) as file, pytest.raises(SyntaxError):
        ImageOps.exif_transpose(file)
    image = read_photo(path, 20)
    assert (corner(image, 0, 0), corner(image, 0, 19)) == (RED, BLUE)


def test_what_cannot_be_read_says_why_and_what_to_do(tmp_path, monkeypatch):
    whole = save(halves(200, 200), tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "empty.jpg").write_bytes(b"")
    why = {path.name: try_photo(path, 8) for path in sorted(tmp_path.iterdir())}
    assert why["whole.jpg"].shape == (3, 8, 8)
    assert why["cut.jpg"].startswith("cut off or damaged (image file is truncated")
    assert why["cut.jpg"].endswith("LOAD_TRUNCATED_IMAGES = True to use what there is of it")
    assert why["empty.jpg"].startswith("cut off or damaged (it is empty): get it again")
    unknown = (
        "not an image, or in a format that Pillow does not know: save it as a PNG or JPEG of 8 bits"
    )
    assert (why["text.png"], why["phone.heic"]) == (unknown, unknown)
    assert try_photo(tmp_path / "absent.jpg", 8) == (
        "No such file or directory: make sure that it is there and that you may read it"
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert try_photo(tmp_path / "whole.jpg", 8) == (
        "too large: make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS"
    )
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert try_photo(tmp_path / "cut.jpg", 8).shape == (3, 8, 8)
