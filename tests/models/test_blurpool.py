import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.blurpool import BlurPool, MaxBlurPool, binomial_kernel


def test_the_kernel_of_size_three_is_the_textbook_one():
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    assert torch.equal(binomial_kernel(3), expected)


@pytest.mark.parametrize("size", range(1, 8))
def test_a_kernel_keeps_the_brightness_and_is_symmetric(size):
    kernel = binomial_kernel(size)
    assert kernel.shape == (size, size)
    assert kernel.sum() == pytest.approx(1)
    assert torch.equal(kernel, kernel.flip(0)) and torch.equal(kernel, kernel.T)


def test_a_larger_kernel_is_the_smaller_one_blurred_again():
    twice = F.conv2d(binomial_kernel(3)[None, None], binomial_kernel(3)[None, None], padding=2)
    torch.testing.assert_close(twice[0, 0], binomial_kernel(5))


def test_a_size_without_a_kernel_is_refused():
    with pytest.raises(ValueError, match="size 0: use 1"):
        binomial_kernel(0)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("size, stride", [(1, 2), (2, 2), (3, 2), (5, 2), (4, 3), (7, 4)])
def test_every_channel_is_blurred_by_itself_and_then_thinned_out(size, stride, mode):
    x = torch.randn(2, 3, 12, 15)
    before, after = (size - 1) // 2, size // 2
    padded = F.pad(x, (before, after, before, after), mode=mode)
    kernel = binomial_kernel(size)[None, None]
    dense = torch.cat([F.conv2d(padded[:, k : k + 1], kernel) for k in range(3)], dim=1)
    expected = dense[..., ::stride, ::stride]
    torch.testing.assert_close(BlurPool(size, stride, mode)(x), expected)
    assert expected.shape == (2, 3, -(-12 // stride), -(-15 // stride))


def test_a_flat_picture_stays_as_it_is():
    x = torch.full((1, 2, 8, 8), 0.7)
    for layer in (BlurPool(5), MaxBlurPool(blur_size=5)):
        torch.testing.assert_close(layer(x), torch.full((1, 2, 4, 4), 0.7))


def test_zeros_are_refused_at_the_border():
    with pytest.raises(ValueError, match=r"'zeros' would darken the border.*use reflect"):
        BlurPool(padding_mode="zeros")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("size", [2, 4])
def test_without_blur_it_is_ordinary_max_pooling(size, mode):
    x = torch.randn(2, 3, 8, 8)
    layer = MaxBlurPool(size, size, blur_size=1, padding_mode=mode)
    assert torch.equal(layer(x), F.max_pool2d(x, size))


def test_max_blur_pool_is_maximum_then_blur_then_subsampling():
    x = torch.randn(1, 2, 8, 8)
    dense = F.max_pool2d(F.pad(x, (0, 1, 0, 1), mode="circular"), 2, stride=1)
    expected = BlurPool(3, 2, "circular")(dense)
    assert torch.equal(MaxBlurPool(2, 2, 3, "circular")(x), expected)


def test_it_has_nothing_to_learn_or_to_store_and_lets_gradients_through():
    layer = MaxBlurPool()
    assert not list(layer.parameters()) and not layer.state_dict()
    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and x.grad.sum() == pytest.approx(16, rel=0.2)


def test_the_kernel_moves_with_the_model():
    assert nn.Sequential(BlurPool()).double()(torch.zeros(1, 1, 4, 4).double()).dtype == (
        torch.float64
    )
