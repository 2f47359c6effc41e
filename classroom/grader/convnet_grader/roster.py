"""The table of expected students, as a spreadsheet program writes it."""

import codecs
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from convnet_grader.decoding import composed, decoded

__all__ = ["filled_in", "read_students"]

MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How a file begins, and the encoding that this stands for."""
DELIMITERS = (",", ";", "\t")
SHORTENED = re.compile(r"\d([.,]\d+)?E\+\d+")
"""How a spreadsheet shows a long number, and saves it: without its last digits."""


IDS = ("id", "identifier", "id number", "sis user id", "sis login id", "username")
"""The column with the id in the file names: ours, then Moodle's and Canvas's."""
LMS = {"identifier", "sis user id", "sis login id"}
"""Columns that only a learning platform writes: there `Student` is somebody's name."""
NOBODY = {"points possible", "manual posting"}
"""What Canvas writes into a row that belongs to no student."""


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        line: Its number in the file.
        cells: As they are in the file.
        name: The id, as in the file names; "" if it has none.
        student: The id in the gradebook.
    """

    line: int
    cells: list[str]
    name: str
    student: str


def read_students(file: Path) -> tuple[dict[str, str], str]:
    """Read a table of students: one with a column `id`, or one that Moodle or Canvas exports.

    Args:
        file: With commas, semicolons or tabs, in UTF-8, in UTF-16 with its mark, or in the
            encoding of this machine, of Western Europe (cp1252) or of Korea (cp949). Its column
            `student`, if it has one, is the id in the gradebook.

    Returns:
        The id in a name -> the id in the gradebook, which is the same without `student`; and a
        sentence about the encoding, or "" if it is certain.

    Raises:
        ValueError: It cannot be read, has no column of ids, or an id is missing, occurs twice or
            has lost digits. The sentence names the file and the line.
    """
    text, note = _decoded(file)
    students: dict[str, str] = {}
    for row in _rows(file, text)[1]:
        if not row.name or SHORTENED.fullmatch(row.name):
            cut = f"the id {row.name} has lost digits: make the column one of text"
            raise ValueError(f"{file}, line {row.line}: {cut if row.name else 'no id'}")
        if row.name in students or row.student in students.values():
            twice = f"an id or a student twice: {row.name} in line {row.line}"
            raise ValueError(f"{file} has {twice}")
        students[row.name] = row.student
    if not students:
        raise ValueError(f"{file} has no row below its header")
    return students, note


def filled_in(file: Path, exercise: str, points: Mapping[str, float]) -> str:
    """Return a table of students with their points, ready for the platform that wrote it.

    The points go into Moodle's `Grade`, else into the column that names the exercise, else into a
    new one. Everything else stays as it was, and so does a row without points.

    Args:
        file: As `read_students` takes it.
        exercise: Such as `07_lenet`.
        points: The id in the gradebook -> the points.

    Raises:
        ValueError: As `read_students`.
    """
    head, rows, delimiter = _rows(file, _decoded(file)[0], whole=True)
    names = [_simple(cell) for cell in head]
    fitting = [i for i, name in enumerate(names) if name == "grade" or _simple(exercise) in name]
    place = fitting[0] if fitting else len(head)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(head if fitting else [*head, exercise])
    for row in rows:
        cells = row.cells + [""] * (max(len(head), place + 1) - len(row.cells))
        student = re.sub(r"\s+", "_", row.student)  # as the gradebook has it
        if student in points:
            cells[place] = f"{points[student]:g}"
        writer.writerow(cells)
    return stream.getvalue()


def _simple(text: str) -> str:
    """Return a text in lower case, with a space for everything but letters and digits."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def _decoded(file: Path) -> tuple[str, str]:
    """Return the text of a file, and a sentence if its encoding is a guess."""
    data = file.read_bytes()
    marked = next((encoding for mark, encoding in MARKED if data.startswith(mark)), "")
    if b"\0" in data and marked != "utf-16":
        raise ValueError(f"{file} is not a table of text: save it as CSV, in UTF-8")
    try:
        text, encoding = (data.decode(marked), "utf-8") if marked else decoded(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{file} cannot be read in line {line}: save it as CSV, in UTF-8"
        ) from None
    if encoding == "utf-8":
        return composed(text), ""
    line = next(n for n, each in enumerate(text.splitlines(), start=1) if not each.isascii())
    example = text.splitlines()[line - 1]
    note = f"is not in UTF-8, and was read as {encoding}: line {line} is {example!r}"
    return composed(text), note


def _rows(file: Path, text: str, whole: bool = False) -> tuple[list[str], list[Row], str]:
    """Return the header of a table, its rows that are not empty, and its delimiter.

    Args:
        file: For the sentence of an error.
        text: Of the table.
        whole: Return rows that belong to nobody, too.
    """
    stream = io.StringIO(text, newline="")
    line, above = stream.readline(), 1
    if line.startswith("sep="):  # Excel's own, for itself
        line, above = stream.readline(), 2
    for delimiter in DELIMITERS:
        head = next(csv.reader([line], delimiter=delimiter), [])
        columns = [cell.strip().lower() for cell in head]
        column = next((name for name in IDS if name in columns), None)
        if column is not None:
            break
    else:
        raise ValueError(f"{file} has no column `id` in line {above}: {line.strip()!r}")
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        rows = [_row(cells, columns, column, reader.line_num + above) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num + above}: {error}") from None
    kept = [
        row for row in rows if any(map(str.strip, row.cells)) and (whole or not _of_nobody(row))
    ]
    return head, kept, delimiter


def _row(cells: list[str], columns: list[str], column: str, line: int) -> Row:
    """Return a row with what its columns say."""
    row = dict(zip(columns, map(str.strip, cells), strict=False))
    name = row.get(column, "")
    if column == "identifier":  # "Participant 12345", in the language of the platform
        name = re.sub(r"^\D*(?=\d+$)", "", name)
    student = "" if LMS & set(columns) else row.get("student")
    return Row(line, cells, name, student or name)


def _of_nobody(row: Row) -> bool:
    """Return whether a row describes the table's columns, not a student."""
    return not row.name and any(cell.strip().lower() in NOBODY for cell in row.cells)
