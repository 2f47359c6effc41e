"""What all widgets share: one output that is live where it can be, and an image elsewhere.

A widget's output holds three forms, and each place shows the best that it can:

- JupyterLab with a kernel: the anywidget view, whose state Python can read and set;
- an exported HTML page: the same JavaScript, inlined, on a stub of the model (no kernel, no
  network);
- an untrusted notebook or a code host: an image with a description.
"""

import hashlib
import json
import math
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from matplotlib.figure import Figure

from course_utils.arguments import flag, listed, number, one_of, shown, whole
from course_utils.kernels import Matrix
from course_utils.plots import display
from course_utils.plots.style import FONT, new_figure

__all__ = [
    "CourseWidget",
    "Matrix",
    "Result",
    "State",
    "checked_matrix",
    "css_of",
    "esm_of",
    "matrix_by_name",
    "module_path",
]

MOST = 1e6
"""The largest number in an image or kernel: a widget has room for it and for the sums."""
State = dict[str, Any]
Result = dict[str, Any]
"""What a reference returns; `problem`, if there is one, says in a sentence what is wrong."""

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./shared\.mjs";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|function)", re.MULTILINE)


class CourseWidget(anywidget.AnyWidget):
    """Base of the course's widgets: state in Python, drawing in JavaScript, a figure for the rest.

    A subclass lives in `name.py` with `name.mjs` beside it. It declares its state as traits with
    `.tag(sync=True)`, and gives `title`, `reference`, `draw` and `tell`. The module `name.mjs`
    exports `compute(state)`, a pure function that returns what `reference` returns, and
    `default { render }`; it may import from `./shared.mjs`, which is inlined, and read the
    constants `TITLE` and `DATA`, which are `title` and `data`.
    """

    title: ClassVar[str] = ""
    data: ClassVar[dict[str, Any]] = {}

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, **settings: Any) -> None:
        traits = {name: self.traits()[name] for name in self.state()}
        known = self.traits().keys() - traits.keys()  # to ipywidgets, such as `layout`
        settings |= {name: _setting(traits, name, value)
                     for name, value in settings.items() if name not in known}  # fmt: skip
        try:
            super().__init__(**settings)
        except traitlets.TraitError as error:  # of something inside a list
            raise ValueError(shown(error)) from error

    @traitlets.default("_esm")
    def _inlined_esm(self) -> str:
        return esm_of(type(self))

    @traitlets.default("_css")
    def _shared_css(self) -> str:
        return css_of(type(self))

    @staticmethod
    def reference(state: State) -> Result:
        """Compute with torch what the browser computes with JavaScript.

        Args:
            state: The widget's traits by name, as `state` returns them.

        Returns:
            Plain numbers, strings, lists and None under the keys of the module's `compute`.
        """
        raise NotImplementedError

    def draw(self, result: Result) -> Figure:
        """Draw the reference's result for the current state, which has no problem."""
        raise NotImplementedError

    def tell(self, result: Result) -> str:
        """Say in a sentence or two what the result shows."""
        raise NotImplementedError

    def still(self) -> Figure:
        """Draw the current state for places where nothing can run."""
        result = self.result()
        problem = result.get("problem")
        return _written(problem) if problem else self.draw(result)

    def describe(self) -> str:
        """Say what the current state shows; the alt text of `still`."""
        result = self.result()
        return str(result.get("problem") or self.tell(result))

    def state(self) -> State:
        """Return the traits that make up the widget's state as plain data, by name."""
        common = set(anywidget.AnyWidget.class_trait_names()) | {"_esm", "_css"}
        names = sorted(name for name in self.trait_names(sync=True) if name not in common)
        return {name: getattr(self, name) for name in names if not name.startswith("_")}

    def result(self) -> Result:
        """Return the reference's result for the current state."""
        return self.reference(self.state())

    def to_html(self) -> str:
        """Return the widget as self-contained HTML: no kernel, no network."""
        state = json.dumps(self.state(), sort_keys=True)
        key = hashlib.sha256(f"{type(self).__name__}{state}".encode()).hexdigest()[:12]
        image = display.to_html(self.still(), f"{self.title}. {self.describe()}")
        start = (_HERE / "standalone.mjs").read_text(encoding="utf-8")
        start = start.replace("KEY", key).replace("STATE", _in_script(state))
        return (
            f'<div data-course-widget="{key}">{image}</div>\n<style>{self._css}</style>\n'
            f'<script type="module">\n{_as_constant(self._esm)}\n{start}</script>'
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        plain = f"{self.title}: {self.describe()}"
        return {**data, "text/plain": plain, "text/html": self.to_html()}, metadata


def _written(sentence: str) -> Figure:
    """Return a figure of a sentence, for a state that cannot be drawn."""
    figure = new_figure(6.4, 0.6)
    figure.text(0.02, 0.5, sentence, fontsize=FONT, va="center", wrap=True)
    return figure


def _setting(traits: dict[str, Any], name: str, value: Any) -> Any:
    """Return a setting in the form that its trait takes.

    Raises:
        ValueError: There is no such setting, or the value does not suit it.
    """
    match traits[one_of("a setting", name, [*traits])]:
        case traitlets.Int(min=least, max=most):
            return whole(name, value, least, math.inf if most is None else most)
        case traitlets.Float(min=least, max=most):
            return number(name, value, least, most)
        case traitlets.Bool():
            return flag(name, value)
        case traitlets.Enum(values=options):
            return one_of(name, value, options or ())
        case traitlets.List():
            return listed(name, value)
    return value


def matrix_by_name(kind: str, value: str | Matrix, known: dict[str, Matrix]) -> Matrix:
    """Return the matrix itself, or the known one of that name.

    Args:
        kind: What it is, for the message: "kernel", "picture".
        value: A matrix, or a name in `known`.
        known: The matrices with a name.

    Raises:
        ValueError: For an unknown name; the message lists the known ones.
    """
    if not isinstance(value, str):
        return value
    return [list(row) for row in known[one_of(kind, value, [*known])]]


def checked_matrix(kind: str, value: Any, largest: int) -> Matrix:
    """Return the rows as lists of floats, if they form a rectangle that fits the screen.

    Args:
        kind: What it is, for the message.
        value: Rows of numbers.
        largest: The most rows and columns.

    Raises:
        ValueError: A value is not a number or too large to be shown, the rows differ in length,
            or there are too many or too few of them.
    """
    try:
        rows = [[float(v) for v in row] for row in value]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{kind} = {shown(value)}: give rows of numbers") from error
    widths = {len(row) for row in rows}
    if len(widths) != 1 or not 1 <= len(rows) <= largest or not 1 <= widths.pop() <= largest:
        raise ValueError(
            f"{kind} = {shown(value)} is not a rectangle of 1 to {largest} rows and columns: "
            "give rows of equal length"
        )
    return [[number(f"{kind}[{r}][{c}]", v, -MOST, MOST) for c, v in enumerate(row)]
            for r, row in enumerate(rows)]  # fmt: skip


def module_path(widget: type[CourseWidget]) -> Path:
    """Return the path of the widget's own JavaScript module, beside its Python file."""
    file = sys.modules[widget.__module__].__file__
    assert file is not None, f"{widget.__name__} is not defined in a file"
    return Path(file).with_suffix(".mjs")


def esm_of(widget: type[CourseWidget]) -> str:
    """Return the widget's JavaScript as one module, the shared helpers inlined in front of it."""
    shared = _EXPORT.sub("", (_HERE / "shared.mjs").read_text(encoding="utf-8"))
    own = module_path(widget).read_text(encoding="utf-8")
    constants = {"TITLE": widget.title, "DATA": widget.data}
    lines = [f"const {name} = {_in_script(json.dumps(v))};" for name, v in constants.items()]
    return "\n".join([shared, *lines, _IMPORT.sub("", own)])


def css_of(widget: type[CourseWidget]) -> str:
    """Return the shared style sheet, and the widget's own if there is a .css beside its module."""
    own = module_path(widget).with_suffix(".css")
    shared = (_HERE / "shared.css").read_text(encoding="utf-8")
    return shared + (own.read_text(encoding="utf-8") if own.exists() else "")


def _as_constant(esm: str) -> str:
    """Return the code with its default export as a constant, for a script of its own."""
    code = _EXPORT.sub("", esm).replace("export default ", "const courseWidget = ")
    if re.search(r"</script|<!--", code, re.IGNORECASE):
        raise ValueError("a widget's module may hold neither '</script' nor '<!--': split the text")
    return code


def _in_script(text: str) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c")
