"""The table of the students who are expected, as a spreadsheet program writes it."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from convnet_grader.decoding import composed, decoded

__all__ = ["read_students"]

MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How a file begins, and the encoding that it names by that."""
DELIMITERS = (",", ";", "\t")
SHORTENED = re.compile(r"\d([.,]\d+)?E\+\d+")
"""How a spreadsheet shows a long number, and then saves it: its last digits are lost."""


def read_students(file: Path) -> tuple[dict[str, str], str]:
    """Read a table with the column `id`, as in the names of files, and maybe `student`.

    Args:
        file: With commas, semicolons or tabs, in UTF-8, in UTF-16 with its mark, or in the
            encoding of this machine, of Western Europe (cp1252) or of Korea (cp949).

    Returns:
        The id in a name -> the id in the gradebook, which is the same without `student`; and a
        sentence about the encoding, or "" where it is certain.

    Raises:
        ValueError: It cannot be read, has no column `id`, or an id is missing, stands twice or
            has lost its digits. The sentence names the file and the line.
    """
    text, note = _decoded(file)
    students: dict[str, str] = {}
    for line, name, student in _rows(file, text):
        if not name or SHORTENED.fullmatch(name):
            what = f"the id {name}, cut short: make the column one of text" if name else "no id"
            raise ValueError(f"{file} has in line {line} {what}")
        if name in students or student in students.values():
            raise ValueError(f"{file} has an id or a student twice: {name} in line {line}")
        students[name] = student
    if not students:
        raise ValueError(f"{file} has no line below its head")
    return students, note


def _decoded(file: Path) -> tuple[str, str]:
    """Return the text of a file, and a sentence where its encoding is a guess."""
    data = file.read_bytes()
    marked = next((encoding for mark, encoding in MARKED if data.startswith(mark)), "")
    if b"\0" in data and marked != "utf-16":
        raise ValueError(f"{file} is no table of text: save it as CSV, in UTF-8")
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
    return composed(text), f"is no UTF-8, and was read as {encoding}: line {line} is {example!r}"


def _rows(file: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number of each line that is not empty, its id and its student."""
    stream = io.StringIO(text, newline="")
    head, above = stream.readline(), 1
    if head.startswith("sep="):  # Excel's own, for itself
        head, above = stream.readline(), 2
    for delimiter in DELIMITERS:
        columns = [cell.strip().lower() for cell in next(csv.reader([head], delimiter=delimiter))]
        if "id" in columns:
            break
    else:
        raise ValueError(f"{file} has no column `id` in line {above}: {head.strip()!r}")
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        for cells in reader:
            row = dict(zip(columns, map(str.strip, cells), strict=False))
            if any(row.values()):
                name = row.get("id", "")
                yield reader.line_num + above, name, row.get("student") or name
    except csv.Error as error:
        raise ValueError(f"{file} has in line {reader.line_num + above}: {error}") from None
