"""A small table, for the terminal and for a notebook."""

import html
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Cell", "Table", "show"]

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns; an empty cell is None.

    Args:
        columns: The heading of each column.
        rows: One tuple per row, as long as `columns`.
        caption: One line above the table, or "".

    Raises:
        ValueError: A row is longer or shorter than the columns.

    >>> print(Table(("layer", "parameters"), (("conv1", 1792), ("pool", None))))
    layer  parameters
    -----  ----------
    conv1       1,792
    pool
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"row {row} does not fit the {len(self.columns)} columns")

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        return iter(self.to_dicts())

    def __str__(self) -> str:
        """Write aligned plain text: numbers to the right, words to the left."""
        shown = [[show(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *shown, strict=True)]
        right = self._numeric()
        rule = ["-" * width for width in widths]
        lines = [_line(row, widths, right) for row in (list(self.columns), rule, *shown)]
        return "\n".join([self.caption, *lines] if self.caption else lines)

    def _repr_html_(self) -> str:
        """Return the table as HTML for a notebook."""
        aligned = ["right" if right else "left" for right in self._numeric()]
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = _html_row("th", self.columns, aligned)
        body = "".join(_html_row("td", [show(cell) for cell in row], aligned) for row in self.rows)
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"

    def to_dicts(self) -> list[dict[str, Cell]]:
        """Return one dictionary per row, column name to value.

        >>> Table(("k", "s"), ((3, 1),)).to_dicts()
        [{'k': 3, 's': 1}]
        """
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def _numeric(self) -> list[bool]:
        """Return for each column whether it holds only numbers."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return [_is_numeric(column) for column in columns]


def show(cell: Cell) -> str:
    """Write a cell as text: thousands separated, None left blank, True and False as yes and no.

    >>> show(138357544), show(None), show(27.0), show(True)
    ('138,357,544', '', '27.0', 'yes')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def _is_numeric(column: tuple[Cell, ...]) -> bool:
    cells = [cell for cell in column if cell is not None]
    return bool(cells) and all(
        isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells
    )


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _html_row(tag: str, cells: list[str] | tuple[str, ...], aligned: list[str]) -> str:
    inner = "".join(
        f'<{tag} style="text-align:{side}">{html.escape(cell)}</{tag}>'
        for cell, side in zip(cells, aligned, strict=True)
    )
    return f"<tr>{inner}</tr>"
