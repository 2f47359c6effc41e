"""What the dial chooses and computes, against other formulas and against the JavaScript."""

from typing import Any

import pytest
import torch

from course_utils.data.shapes import CLASSES
from course_utils.widgets.background_results import recorded
from course_utils.widgets.spurious_background_dial import EMPTY, SpuriousBackgroundDial
from course_utils.widgets.text import percent

NUM_STATES = 150


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Results of made-up models; now and then there are none."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def classes(*shape: int) -> Any:
        return torch.randint(len(CLASSES), shape, generator=generator).tolist()

    def part(*shape: int) -> Any:
        return torch.rand(shape, generator=generator, dtype=torch.float64).tolist()

    num_results, num_models, num_tests = whole(0, 5), whole(1, 3), whole(1, 3)
    side, blank = (4, 8)[whole(0, 1)], whole(0, 5) == 0
    maps = torch.randn(num_tests, 2, side, side, generator=generator) * (not blank)
    bits = torch.randint(2, (num_tests, 32, 32), generator=generator).tolist()
    tests = [
        {
            "label": classes(1)[0],
            "pictures": [0, 0],
            "families": classes(2),
            "mask": ["".join(map(str, row)) for row in bits[k]],
        }
        for k in range(num_tests)
    ]
    results = [
        {
            "correlation": correlation,
            "area": 0.2,
            "examples": [[0, 0]] * 2,
            "example_labels": classes(2),
            "example_families": classes(2, 2),
            "models": [
                {
                    "name": f"model {m}",
                    "accuracy": part(2),
                    "fooled": part(),
                    "on_figure": part(),
                    "answers": classes(num_tests, 2),
                    "maps": maps.tolist(),
                }
                for m in range(num_models)
            ],
        }
        for correlation in sorted(part(num_results))
    ]
    return {
        "pictures": ["A" * 4096],
        "tests": tests,
        "results": results,
        "correlation": part(),
        "picture": whole(0, 3),
    }


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    return [random_state(generator) for _ in range(NUM_STATES)]


def test_shares_are_those_of_the_map_blown_up_to_pixels(states: list[dict[str, Any]]) -> None:
    checked = 0
    for state in states:
        result = SpuriousBackgroundDial.reference(state)
        if not state["results"]:
            assert result == {"problem": EMPTY}
            continue
        chosen = state["results"][result["index"]]
        test = state["tests"][result["picture"]]
        mask = torch.tensor([[float(bit) for bit in row] for row in test["mask"]])
        for model, shown in zip(chosen["models"], result["models"], strict=True):
            for map_, share in zip(model["maps"][result["picture"]], shown["shares"], strict=True):
                cells = torch.tensor(map_, dtype=torch.float64).abs()
                pixels = torch.kron(cells, torch.ones(32 // len(map_), 32 // len(map_)))
                total = pixels.sum()
                wanted = (pixels * mask).sum() / total if total > 0 else total
                assert share == pytest.approx(float(wanted), abs=1e-12)
                checked += 1
            assert shown["largest"] == [
                max(abs(value) for row in map_ for value in row)
                for map_ in model["maps"][result["picture"]]
            ]
    assert checked > NUM_STATES


def test_the_nearest_result_is_chosen(states: list[dict[str, Any]]) -> None:
    for state in states:
        known = [result["correlation"] for result in state["results"]]
        if known:
            result = SpuriousBackgroundDial.reference(state)
            nearest = min(known, key=lambda rho: abs(rho - state["correlation"]))
            assert result["correlation"] == known[result["index"]] == nearest


def test_browser_computes_what_the_reference_says(
    states: list[dict[str, Any]], compute: Any, same: Any
) -> None:
    for state, shown in zip(states, compute(SpuriousBackgroundDial, states), strict=True):
        assert same(shown, SpuriousBackgroundDial.reference(state)), state


def test_browser_agrees_on_the_record(compute: Any, same: Any) -> None:
    states = [
        SpuriousBackgroundDial(correlation=r["correlation"], picture=k).state()
        for r in recorded()["results"]
        for k in range(3)
    ]
    for state, shown in zip(states, compute(SpuriousBackgroundDial, states), strict=True):
        assert same(shown, SpuriousBackgroundDial.reference(state))


def test_answers_are_told_apart() -> None:
    state = SpuriousBackgroundDial().state()
    test = state["tests"][0] | {"label": 3, "families": [3, 5]}
    model = state["results"][0]["models"][0]
    for answers, kinds in (
        ([3, 5], ["right", "background"]),
        ([4, 3], ["wrong", "right"]),
        ([5, 9], ["wrong", "wrong"]),
    ):
        models = [model | {"answers": [answers]}]
        results = [state["results"][0] | {"models": models}]
        one = SpuriousBackgroundDial.reference(state | {"tests": [test], "results": results})
        assert one["models"][0]["kinds"] == kinds
        assert one["models"][0]["answers"] == [CLASSES[answer] for answer in answers]


def test_what_the_background_alone_would_give() -> None:
    def telling(rho: float) -> float:
        return float(SpuriousBackgroundDial(correlation=rho).result()["telling"])

    assert telling(0) == pytest.approx(0.1)  # one in ten by chance
    assert telling(0.8) == pytest.approx(0.82)
    assert telling(1) == 1


def test_a_figure_too_many_is_the_last() -> None:
    assert SpuriousBackgroundDial(picture=99).result()["picture"] == 2


def test_empty_results_are_explained() -> None:
    widget = SpuriousBackgroundDial()
    widget.results = []
    assert widget.describe() == EMPTY
    assert widget.still().texts[0].get_text() == EMPTY


def test_a_correlation_is_a_part_of_one() -> None:
    with pytest.raises(ValueError, match=r"correlation = 1\.5 is out of range"):
        SpuriousBackgroundDial(correlation=1.5)


def test_percentages() -> None:
    parts = (0, 0.004, 0.125, 0.995, 1)
    assert [percent(p) for p in parts] == [f"{n}\u00a0%" for n in (0, 0, 13, 100, 100)]
