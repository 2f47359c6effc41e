"""Autocorrelation of series that are known, and of gradients that are known."""

import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.inspection import shattering
from course_utils.inspection.shattering import (
    Line,
    autocorrelation,
    autocorrelation_by_depth,
    brown_noise,
    covariance,
    gradient_series,
    input_gradients,
    rectifier_net,
    white_noise,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Square(nn.Module):
    """y = x^2, whose derivative is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square()


def test_gradients_are_those_of_each_input_alone() -> None:
    grid = torch.linspace(-2, 2, 9)
    torch.testing.assert_close(input_gradients(Square(), grid), 2 * grid)


def test_normalisation_does_not_tie_the_inputs_together() -> None:
    net = rectifier_net(3, generator=seeded()).double()
    grid = torch.linspace(-2, 2, 64, dtype=torch.float64)
    gradients = input_gradients(net, grid)
    shattering.settle_norms_(net, grid[:, None])
    net.eval()
    step = 1e-7
    with torch.no_grad():
        numeric = (net(grid[:, None] + step) - net(grid[:, None] - step))[:, 0] / (2 * step)
    close = (numeric - gradients).abs() < 1e-5 * gradients.abs().max()
    assert close.double().mean() > 0.95  # a step over a kink may differ


def test_the_model_comes_back_as_it_was() -> None:
    net = rectifier_net(2, generator=seeded())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    input_gradients(net.eval(), torch.linspace(-1, 1, 32))
    assert not net.training and net[1].norm.momentum == 0.1
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_autocorrelation_of_a_short_series_by_hand() -> None:
    series = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    torch.testing.assert_close(autocorrelation(series, 2), torch.tensor([1.0, -0.75, 0.5]))
    shifted_and_scaled = torch.cat([series, 5 + 3 * series])
    torch.testing.assert_close(autocorrelation(shifted_and_scaled, 2), autocorrelation(series, 2))


def test_white_noise_forgets_and_brown_noise_remembers() -> None:
    white = autocorrelation(white_noise(50, 256, seeded()))
    brown = autocorrelation(brown_noise(50, 256, seeded()))
    assert white[0] == brown[0] == 1
    assert white[1:].abs().max() < 0.05 and brown[1] > 0.9
    assert bool((brown.diff() < 0).all())


def test_brown_noise_is_the_sum_of_white_noise() -> None:
    white, brown = white_noise(2, 10, seeded(3)), brown_noise(2, 10, seeded(3))
    torch.testing.assert_close(brown.diff(dim=1), white[:, 1:])


@pytest.mark.parametrize("max_lag", [-1, 4])
def test_a_lag_that_does_not_fit_is_refused(max_lag: int) -> None:
    with pytest.raises(ValueError, match=f"max_lag = {max_lag} is too"):
        autocorrelation(torch.randn(2, 4), max_lag)


def test_a_constant_series_is_refused() -> None:
    with pytest.raises(ValueError, match="constant"):
        autocorrelation(torch.ones(1, 8), 3)


def test_covariance_weighs_all_series_alike() -> None:
    series = torch.tensor([[1.0, -1.0], [100.0, 100.0]])
    torch.testing.assert_close(covariance(series), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


def test_depth_shatters_plain_nets_and_spares_skips() -> None:
    grid = torch.linspace(-2, 2, 256)
    options = {"num_nets": 4, "generator": seeded()}
    plain = autocorrelation_by_depth([2, 24], grid, skip=False, **options)
    skip = autocorrelation_by_depth([2, 24], grid, skip=True, **options)
    assert plain[2][1] > 0.9 and skip[2][1] > 0.9
    assert abs(plain[24][1]) < 0.15 and skip[24][1] > 0.6


def test_a_skip_of_weight_nothing_is_the_identity() -> None:
    net = rectifier_net(5, skip=True, generator=seeded())
    for layer in net[1:-1]:
        nn.init.zeros_(layer.mix.weight)
    x = torch.randn(4, 1, generator=seeded())
    torch.testing.assert_close(net.eval()(x), net[-1](net[0](x)))


def test_nets_are_drawn_from_the_generator() -> None:
    grid = torch.linspace(-1, 1, 16)

    def build(draws: torch.Generator) -> nn.Module:
        return rectifier_net(2, generator=draws)

    first, again = (gradient_series(build, grid, num_nets=2, generator=seeded(7)) for _ in "ab")
    assert first.shape == (2, 16) and torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="depth = 0 is too small"):
        rectifier_net(0, generator=seeded())
    with pytest.raises(ValueError, match="num_nets = 0 is too small"):
        gradient_series(lambda draws: Square(), torch.ones(2), num_nets=0, generator=seeded())


def test_a_line_goes_from_one_picture_to_the_other() -> None:
    model = models.build("lenet5", in_channels=1, num_classes=10, generator=seeded())
    start, end = torch.randn(2, 1, 28, 28, generator=seeded())
    logits = Line(model, start, end, label=3)(torch.tensor([[0.0], [1.0], [0.25]]))
    wanted = model(torch.stack([start, end, 0.75 * start + 0.25 * end]))[:, 3:4]
    torch.testing.assert_close(logits, wanted)
