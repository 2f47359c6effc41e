import math

import pytest
import torch
import torch.nn.functional as F

from course_utils.equivariance import equivariance_error, invariance_error, shift
from course_utils.models.blurpool import MaxBlurPool

EXACT = 1e-5  # float32 adds up in another order after a shift


def picture(size=32, channels=1):
    return torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0))


def kernel(channels=1):
    return torch.randn(4, channels, 3, 3, generator=torch.Generator().manual_seed(1))


def circular(x):
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), kernel(x.shape[1]))


def waves(rows, columns, size=16, down=0.0, right=0.0):
    """A picture of one frequency, moved by any fraction of a pixel: what a shift must give."""
    i, j = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.cos(2 * math.pi * (rows * (i - down) + columns * (j - right)) / size)


def test_a_shift_goes_down_and_to_the_right():
    x = torch.zeros(5, 6)
    x[1, 2] = 1
    assert shift(x, 2, 1).nonzero().tolist() == [[3, 3]]
    assert shift(x, -2, 4).nonzero().tolist() == [[4, 0]]


@pytest.mark.parametrize("rows, columns", [(1, 3), (-5, 0), (0.5, 2), (1.25, -0.75)])
def test_a_shift_moves_a_wave_by_any_fraction(rows, columns):
    moved = shift(waves(3, 5), rows, columns)
    torch.testing.assert_close(moved, waves(3, 5, down=rows, right=columns), atol=1e-5, rtol=0)


def test_two_half_shifts_make_a_whole_one_unless_the_picture_holds_the_finest_stripes():
    smooth = waves(3, 7) + waves(1, 2)
    halves = shift(shift(smooth, 0.5, 0.5), 0.5, 0.5)
    torch.testing.assert_close(halves, shift(smooth, 1, 1), atol=1e-5, rtol=0)
    finest = waves(0, 8)  # one pixel light, one dark: half a pixel further both are grey
    torch.testing.assert_close(shift(finest, 0, 0.5), torch.zeros(16, 16), atol=1e-5, rtol=0)


def test_circular_convolution_moves_along():
    for rows, columns in ((1, 0), (3, 5), (-7, 2)):
        assert equivariance_error(circular, picture(), rows, columns) < EXACT


def test_zero_padding_does_not():
    error = equivariance_error(lambda x: F.conv2d(x, kernel(), padding=1), picture(), 1, 1)
    assert error > 0.05


def test_a_stride_moves_along_with_its_multiples_only():
    def strided(x):
        return circular(x)[..., ::4, ::4]

    errors = [equivariance_error(strided, picture(), 0, s) for s in range(1, 9)]
    assert [error < EXACT for error in errors] == [s % 4 == 0 for s in range(1, 9)]


def test_each_axis_has_its_own_stride():
    def strided(x):
        return circular(x)[..., ::2, :]

    assert equivariance_error(strided, picture(), 2, 1) < EXACT
    assert equivariance_error(strided, picture(), 1, 2) > 0.05


def test_blur_lessens_the_error_of_max_pooling():
    x = circular(picture())
    errors = [
        equivariance_error(MaxBlurPool(blur_size=k, padding_mode="circular"), x, 1, 1)
        for k in (1, 3, 5, 7)
    ]
    assert errors == sorted(errors, reverse=True) and errors[0] > 5 * errors[-1]


def test_the_error_is_relative_to_the_output():
    top = picture()
    top[..., 16:, :] = 0
    keeps_top = (torch.arange(32) < 16)[:, None]

    def look_at_top(x):
        return 10 * x * keeps_top

    # Moved to the lower half, the whole output is missing: the error is as large as the output.
    assert equivariance_error(look_at_top, top, 16) == pytest.approx(1)
    assert invariance_error(look_at_top, top, 16) == pytest.approx(1)


def test_the_mean_over_the_map_stays():
    def mean(x):
        return circular(x).mean(dim=(2, 3))

    assert invariance_error(mean, picture(), 3, 5) < EXACT
    assert invariance_error(circular, picture(), 3, 5) > 0.1


def test_what_cannot_be_measured_is_refused():
    x = picture()
    with pytest.raises(ValueError, match=r"\(30, 30\) from an input of \(32, 32\)"):
        equivariance_error(lambda x: F.conv2d(x, kernel()), x, 1)
    with pytest.raises(ValueError, match="is not a map: measure its invariance"):
        equivariance_error(lambda x: x.sum(), x, 1)
    for error in (equivariance_error, invariance_error):
        with pytest.raises(ValueError, match="0 everywhere"):
            error(torch.zeros_like, x, 1)


def test_no_gradients_are_kept():
    x = picture().requires_grad_()
    seen = []

    def layer(x):
        seen.append((2 * x).requires_grad)
        return x

    equivariance_error(layer, x, 1)
    invariance_error(layer, x, 1)
    assert seen == [False] * 4
