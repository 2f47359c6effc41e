"""The one table of filters: every number, and that there is no second table."""

import ast
import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from course_utils.kernels import KERNELS, binomial, named_kernel
from course_utils.models.blurpool import binomial_kernel

ROOT = Path(__file__).parents[1]


def rows(text: str, over: float = 1) -> torch.Tensor:
    """The filter whose rows are written with a slash between them."""
    return torch.tensor([[float(v) for v in row.split()] for row in text.split("/")]) / over


WANTED = {
    "Identity": rows("0 0 0 / 0 1 0 / 0 0 0"),
    "Mean of 4": torch.full((2, 2), 1 / 4),
    "Mean of 9": torch.full((3, 3), 1 / 9),
    "Gaussian 3 × 3": binomial_kernel(3),
    "Gaussian 5 × 5": binomial_kernel(5),
    "Gaussian 7 × 7": binomial_kernel(7),
    "Difference of Gaussians": F.pad(binomial_kernel(3), (2,) * 4) - binomial_kernel(7),
    "Sharpen": rows("0 -1 0 / -1 5 -1 / 0 -1 0"),
    "Emboss": rows("-2 -1 0 / -1 1 1 / 0 1 2"),
    "Edges": rows("-1 -1 -1 / -1 8 -1 / -1 -1 -1"),
    "Sobel, vertical edges": rows("-1 0 1 / -2 0 2 / -1 0 1"),
    "Sobel, horizontal edges": rows("-1 -2 -1 / 0 0 0 / 1 2 1"),
    "Laplacian": rows("0 1 0 / 1 -4 1 / 0 1 0"),
    "Worked example": rows("0 1 2 / 2 2 0 / 0 1 2"),
    "Lopsided 5 × 5": rows("1 0 2 0 4 / 2 0 4 0 8 / 3 0 6 0 12 / 4 0 8 0 16 / 5 0 10 0 20", 105),
    "One weight": rows("2"),
}


def test_every_number_of_every_filter() -> None:
    assert KERNELS.keys() == WANTED.keys()
    for name, wanted in WANTED.items():
        torch.testing.assert_close(named_kernel(name), wanted, rtol=0, atol=1e-7, msg=name)


def test_differences_have_one_sign() -> None:
    ramp = torch.arange(7.0).expand(7, 7)  # brighter to the right
    bowl = torch.arange(7.0)[:, None] ** 2 + torch.arange(7.0) ** 2  # bends upwards everywhere

    def answer(name: str, image: torch.Tensor) -> float:
        return float(F.conv2d(image[None, None], named_kernel(name)[None, None])[0, 0, 1, 1])

    assert answer("Sobel, vertical edges", ramp) == answer("Sobel, horizontal edges", ramp.T) == 8
    assert answer("Emboss", ramp) - answer("Identity", ramp) > 0
    assert answer("Laplacian", bowl) == 4
    identity, laplacian = named_kernel("Identity"), named_kernel("Laplacian")
    assert torch.equal(named_kernel("Sharpen"), identity - laplacian)
    assert torch.allclose(named_kernel("Edges"), 9 * (identity - named_kernel("Mean of 9")))


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="no kernel 'Sobel': choose from Identity, "):
        named_kernel("Sobel")
    with pytest.raises(ValueError, match="a row of 0 weights"):
        binomial(0)


# --- No second table -----------------------------------------------------------------------------


def shapes_of(matrix: list[list[float]]) -> set[str]:
    """The filter and its multiples, as compact JSON of its smallest whole numbers."""
    values = torch.tensor(matrix, dtype=torch.float64)
    smallest = values[values != 0].abs().min()
    return {json.dumps((sign * values / smallest + 0.0).tolist()) for sign in (1, -1)}


# A filter of equal weights, or of one, is no table worth forbidding.
TOLD_APART = {
    name: shapes_of(matrix)
    for name, matrix in KERNELS.items()
    if len(torch.tensor(matrix).unique()) > 2
}
BINOMIALS = {json.dumps([v / binomial(k)[0] for v in binomial(k)]) for k in (3, 5, 7)}


def scaled(values: list) -> str:
    """Nested numbers over the smallest of them, as JSON."""
    tensor = torch.tensor(values, dtype=torch.float64)
    smallest = tensor[tensor != 0].abs().min() if tensor.any() else 1
    return json.dumps((tensor / smallest + 0.0).tolist())


def tables_in_python(text: str) -> list[str]:
    """Names of the filters that a module writes out as literals."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.List | ast.Tuple):
            continue
        try:
            values = ast.literal_eval(node)
            shape = scaled([list(map(float, row)) for row in values])
        except (ValueError, TypeError, SyntaxError):
            continue
        found += [name for name, shapes in TOLD_APART.items() if shape in shapes]
    return found


def tables_in_javascript(text: str) -> list[str]:
    """Arrays of numbers in a module that are a row of a blur or a row of a filter's weights."""
    number = r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?"
    arrays = re.findall(rf"\[\s*({number}(?:\s*,\s*{number}){{2,}})\s*,?\s*\]", text)
    found = [[float(v) for v in array.split(",")] for array in arrays]
    laplacian = {scaled(row) for row in KERNELS["Laplacian"]}
    sobel = {scaled(row) for row in KERNELS["Sobel, vertical edges"] if any(row)}
    return [str(row) for row in found if any(row) and scaled(row) in BINOMIALS | laplacian | sobel]


SOURCES = [*ROOT.glob("course_utils/**/*.py"), *ROOT.glob("sources/lessons/*.py")]


def test_no_other_module_or_lesson_has_a_table_of_filters() -> None:
    for path in SOURCES:
        if path.name != "kernels.py":
            assert not tables_in_python(path.read_text(encoding="utf-8")), path
    assert tables_in_python("x = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]") == ["Laplacian"]
    assert tables_in_python("x = ((1, 2, 1), (2, 4, 2), (1, 2, 1))") == ["Gaussian 3 × 3"]


def test_no_widget_has_a_table_of_filters_in_javascript() -> None:
    modules = sorted(ROOT.glob("course_utils/**/*.mjs"))
    assert len(modules) > 7
    for path in modules:
        assert not tables_in_javascript(path.read_text(encoding="utf-8")), path
    assert tables_in_javascript("const K = [[0, -1, 0], [-1, 4, -1]], B = { 3: [.25, 0.5, 0.25] }")
