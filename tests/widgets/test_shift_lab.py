"""The shift lab's reference against lesson 06's ruler, and the JavaScript against the reference."""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.equivariance import equivariance_error, invariance_error
from course_utils.kernels import KERNELS
from course_utils.models.blurpool import BlurPool, MaxBlurPool
from course_utils.widgets import ShiftLab
from course_utils.widgets.shift_lab import BORDERS, FILTERS, POOLS, SCORES, SHAPES, picture_of

NUM_STATES = 240
LAYERS = {
    "none": nn.Identity(),
    "max 2 × 2": nn.MaxPool2d(2),
    "average 2 × 2": nn.AvgPool2d(2),
    "blur 3 × 3": BlurPool(3, padding_mode="circular"),
    "max, blur 3 × 3": MaxBlurPool(blur_size=3, padding_mode="circular"),
    "max, blur 5 × 5": MaxBlurPool(blur_size=5, padding_mode="circular"),
}
HEADS = {"mean": lambda x: x.mean(dim=(2, 3)), "maximum": lambda x: x.amax(dim=(2, 3))}


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Any setting a learner can reach."""

    def one_of(names: Any) -> Any:
        return list(names)[int(torch.randint(len(names), (), generator=generator))]

    return {
        "shape": one_of(SHAPES),
        "kernel": one_of(FILTERS),
        "border": one_of(BORDERS),
        "pool": one_of(POOLS),
        "score": one_of(SCORES),
        "down": one_of(range(-16, 17)),
        "right": one_of(range(-16, 17)),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(4)
    return [random_state(generator) for _ in range(NUM_STATES)]


@pytest.fixture(scope="module")
def references(states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the reference says of each state: two tests compare it."""
    return [ShiftLab.reference(state) for state in states]


def lesson_layer(state: dict[str, Any]) -> Any:
    """Convolution, ReLU and pooling as lesson 06 writes them."""
    weights = torch.tensor(KERNELS[state["kernel"]], dtype=torch.float64)[None, None]
    mode = "circular" if state["border"] == "circular" else "constant"

    def layer(x: torch.Tensor) -> torch.Tensor:
        maps = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), weights).relu()
        if state["pool"] == "stride 2":
            return maps[..., ::2, ::2]
        return LAYERS[state["pool"]].double()(maps)

    return layer


def test_reference_measures_what_lesson_06_measures(
    states: list[dict[str, Any]], references: list[dict[str, Any]]
) -> None:
    checked = 0
    for state, result in list(zip(states, references, strict=True))[::3]:
        layer = lesson_layer(state)
        x, move = picture_of(state["shape"]), (state["down"], state["right"])
        seen = layer(x.roll(move, (2, 3)))[0, 0]
        torch.testing.assert_close(torch.tensor(result["map"], dtype=torch.float64), seen)
        if result["problem"]:
            assert not layer(x).any()
            continue
        head = HEADS[state["score"]]
        assert result["equivariance"] == pytest.approx(equivariance_error(layer, x, *move))
        moved = invariance_error(lambda x, layer=layer, head=head: head(layer(x)), x, *move)
        assert result["invariance"] == pytest.approx(moved, abs=1e-12)
        checked += 1
    assert checked > NUM_STATES / 4


ROUGH = ("expected", "difference", "equivariance", "curves")


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], references: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    shown_by_page = compute(ShiftLab, states)
    for state, wanted, shown in zip(states, references, shown_by_page, strict=True):
        assert shown.keys() == wanted.keys()
        rest = [key for key in wanted if key not in ROUGH]
        assert same({k: shown[k] for k in rest}, {k: wanted[k] for k in rest}), state
        # `equivariance.shift` turns the phases in single precision, JavaScript in double.
        for key in ("expected", "difference"):
            off = torch.tensor(shown[key]) - torch.tensor(wanted[key])
            assert off.abs().max() < 2e-6, (key, state)
        for name, errors in wanted["curves"].items():
            off = torch.tensor(shown["curves"][name], dtype=torch.float64) - torch.tensor(errors)
            assert len(off) == len(errors) and off.abs().max() <= 1e-6, (name, state)
        if wanted["problem"] is None:
            assert shown["equivariance"] == pytest.approx(wanted["equivariance"], abs=1e-6)


def curve(name: str, **settings: Any) -> list[float]:
    """One error for each shift to the right, from -16 to 16."""
    return ShiftLab(**settings).result()["curves"][name]  # type: ignore[no-any-return]


@pytest.mark.parametrize("shape", list(SHAPES))
def test_on_the_ring_convolution_follows_every_shift(shape: str) -> None:
    assert max(curve("equivariance", shape=shape, pool="none", down=-5)) == 0


@pytest.mark.parametrize("pool", [name for name in POOLS if name != "none"])
def test_a_stride_of_two_follows_every_second_shift(pool: str) -> None:
    errors = curve("equivariance", pool=pool)
    assert max(errors[::2]) < 1e-9
    assert min(errors[1::2]) > 0.01


def test_blurs_help_in_the_order_the_lesson_says() -> None:
    for shape in ("Disc", "Ring", "Triangle"):
        worst = [
            max(curve("equivariance", shape=shape, pool=pool))
            for pool in ("stride 2", "max 2 × 2", "max, blur 3 × 3", "max, blur 5 × 5")
        ]
        assert worst == sorted(worst, reverse=True)
        assert worst[2] < worst[1] / 3


def test_zeros_harm_only_a_shape_that_meets_the_border() -> None:
    errors = curve("equivariance", border="zeros", pool="none")
    assert max(errors[8:25]) == 0  # the shape is 12 wide, 10 from each border
    assert errors[0] > 0.3


def test_the_mean_is_invariant_on_the_ring_unless_a_maximum_is_subsampled() -> None:
    assert max(curve("invariance", pool="average 2 × 2")) < 1e-12
    assert max(curve("invariance", pool="max 2 × 2")) > 0.3
    assert max(curve("invariance", pool="max, blur 3 × 3")) < 1e-12


def test_with_a_stride_the_mean_is_invariant_for_a_symmetric_disc_only() -> None:
    settings = {"kernel": "Laplacian", "pool": "stride 2", "down": 1}
    assert max(curve("invariance", shape="Disc", **settings)) < 1e-12
    assert min(curve("invariance", shape="Triangle", **settings)) > 0.5


def test_only_one_kind_of_setting_has_an_empty_map() -> None:
    empty = []
    for shape, kernel, border, pool in itertools.product(SHAPES, FILTERS, BORDERS, POOLS):
        state = {"shape": shape, "kernel": kernel, "border": border, "pool": pool}
        if not lesson_layer(state)(picture_of(shape)).any():
            empty.append((shape, kernel, pool))
    assert empty == [("Fine stripes", "Sobel, vertical edges", "stride 2")] * 2


def test_an_empty_map_is_explained() -> None:
    widget = ShiftLab(shape="Fine stripes", pool="stride 2")
    assert "0 everywhere, so no error can be measured relative" in widget.describe()
    assert "0 everywhere" in widget.still().texts[0].get_text()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="right = "):
        ShiftLab(right=17)
    with pytest.raises(ValueError, match="pool = "):
        ShiftLab(pool="max")


def test_describe_says_the_errors() -> None:
    widget = ShiftLab(shape="Disc", right=-3, down=2)
    said = "moved 2 down and 3 left, in pixels; the map should move by 1 and 1.5 cells."
    assert said in widget.describe()
    assert f"Equivariance error {widget.result()['equivariance']:.3f}" in widget.describe()
