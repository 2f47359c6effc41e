"""Exercise 04 accepts right answers in any style, and names what is wrong with the others."""

import pytest

SLUG = "04_stride_padding_pooling"

FORMULA = """
def output_size(n, k, s=1, p=0):
    {guard}
    return {formula}
"""
GUARD = "if n + 2 * p < k: raise ValueError('too large')"
COUNTED = """
def output_size(n, k, s=1, p=0):
    places = range(-p, n + p - k + 1, s)
    if not places:
        raise ValueError("no place")
    return len(places)
"""
LOOPS = """
def max_pool2d(maps, k, s):
    N, C, H, W = maps.shape
    rows = []
    for i in range(0, H - k + 1, s):
        rows.append(torch.stack([maps[:, :, i:i + k, j:j + k].amax((2, 3))
                                 for j in range(0, W - k + 1, s)], dim=-1))
    return torch.stack(rows, dim=-2)
"""
FIELD = """
def receptive_field(layers):
    field = 1
    for k, s in reversed(layers):
        field = {step}
    return field
"""
BACKWARDS = "(field - 1) * s + k"


def formula(text, guard=GUARD):
    return FORMULA.format(formula=text, guard=guard)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("output_size", formula("1 + (n + p + p - k) // s")),
        ("output_size", COUNTED),
        ("pooling", LOOPS),
        ("receptive_field", FIELD.format(step=BACKWARDS)),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(**{task: source})


WRONG_SIZES = [
    ("(n + 2 * p - k) / s + 1", GUARD, "take the floor"),
    ("-((k - n - 2 * p) // s) + 1", GUARD, "you round the division up"),
    ("(n + p - k) // s + 1", GUARD, "one side only"),
    ("(n - k) // s + 1", GUARD, "8 is what you get if you leave out the padding"),
    ("n + 2 * p - k + 1", GUARD, "you leave out the stride"),
    ("(n + 2 * p) // s", GUARD, "not the right number"),
    ("max(0, (n + 2 * p - k) // s + 1)", "", "a window of 5 on 4 pixels must raise a ValueError"),
    ("(n + 2 * p - k) // s + 1", "if k > n: raise ValueError", "fits once on 4 + 2 pixels"),
    ("(n + 2 * p - k) // s + 1", "assert n + 2 * p >= k", "AssertionError"),
]


@pytest.mark.parametrize(("text", "guard", "finding"), WRONG_SIZES)
def test_a_wrong_size_is_named(exercise, text, guard, finding):
    result = exercise.grade(output_size=formula(text, guard))["output_size_check"]
    assert result.score == 0
    assert finding in result.finding


WRONG_POOLINGS = [
    (LOOPS.replace("amax", "mean"), "you take the mean"),
    (LOOPS.replace("H - k + 1, s", "H, s").replace("W - k + 1, s", "W, s"), "not full"),
    (LOOPS.replace("+ 1, s", "+ 1, 1"), "you leave out the stride"),
    (LOOPS.replace("+ 1, s", "+ 1, k"), "you make the stride as wide as the window"),
    (LOOPS.replace("amax", "amin"), "differs"),
    (LOOPS.replace("- k + 1, s", "- k, s"), "your output is"),
    ("from torch.nn.functional import max_pool2d", "your code calls torch's own max_pool2d"),
    (
        "def max_pool2d(maps, k, s): return torch.nn.MaxPool2d(k, s)(maps)",
        "your code calls torch's own max_pool2d",
    ),
    (LOOPS.replace("amax((2, 3))", "amax((1, 2, 3))"), "expected (1, 1, 1, 2)"),
    (LOOPS.replace("rows, dim=-2)", "rows, dim=-2).relu()"), "fall below zero"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "finding"), WRONG_POOLINGS)
def test_a_wrong_pooling_is_rejected_with_a_reason(exercise, source, finding):
    result = exercise.grade(pooling=source)["pooling_check"]
    assert result.score == 0
    assert finding in result.finding


WRONG_FIELDS = {
    "field + k - 1": "you leave out the strides",
    "field * k": "you multiply the windows' sizes",
    "field + k": "not the right number",
    "(field - 1) * s + k * s": "not the right number",
    "field * s + k": "not the right number",
}


@pytest.mark.parametrize(("step", "finding"), WRONG_FIELDS.items())
def test_a_wrong_field_is_named(exercise, step, finding):
    source = FIELD.format(step=step)
    result = exercise.grade(receptive_field=source)["receptive_field_check"]
    assert result.score == 0
    assert finding in result.finding
