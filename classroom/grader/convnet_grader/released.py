"""The code of cells that are not the student's: what they define, need and gather."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator, Sequence

__all__ = ["bound_names", "free_names", "gatherers", "questions"]

QUESTION = re.compile(r'^QUESTION = \("([^"]+)", "([^"]+)",', re.MULTILINE)


def bound_names(source: str) -> set[str]:
    """Return the names that the top level of a cell assigns."""
    top = symtable.symtable(source, "cell", "exec")
    return {
        each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()
    }


def free_names(source: str) -> list[str]:
    """Return the names that a cell uses and does not define, without Python's own."""
    top = symtable.symtable(source, "cell", "exec")
    known = bound_names(source) | set(dir(builtins))
    return sorted({name for name in _global_names(top) if name not in known})


def _global_names(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names that a scope and those inside it look up at the top level."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _global_names(inner)


def gatherers(cells: Sequence[str]) -> str:
    """Return what the cells so far import and mark by `@checks.beside`, as source code."""
    return "\n\n".join(part for cell in cells for part in _gathering(cell))


def _gathering(source: str) -> Iterator[str]:
    """Yield the imports and the marked definitions of a cell."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
        if isinstance(node, ast.Import | ast.ImportFrom) or "checks.beside" in marks:
            first = min(
                [node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))]
            )
            yield "\n".join(lines[first - 1 : node.end_lineno])


def questions(cells: Sequence[str]) -> list[tuple[str, str]]:
    """Return bank and item of each question of the quiz that the cells ask about."""
    return [found for cell in cells for found in QUESTION.findall(cell)]
