"""Numbers as text, in the form that the browser writes."""

import math

from course_utils.plots.style import number

__all__ = ["compact", "count", "number", "percent"]


def count(x: float) -> str:
    """Write a count with commas between thousands.

    >>> count(61706)
    '61,706'
    """
    return f"{round(x):,}"


def compact(x: float) -> str:
    """Write a large count with a word for its size.

    >>> compact(138357544), compact(2.44e9)
    ('138 million', '2.44 billion')
    """
    names = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
    found = next(((size, name) for size, name in names if x >= size), None)
    return f"{float(f'{x / found[0]:.3g}'):g} {found[1]}" if found else count(x)


def percent(part: float) -> str:
    r"""Write a share as a whole percentage, rounded half up.

    >>> percent(0.125)
    '13\xa0%'
    """
    return f"{math.floor(100 * part + 0.5)}\u00a0%"  # a space that does not break the line
