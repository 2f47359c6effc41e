"""A Sphinx extension: names become links, and docstrings are read as ours are written.

`LeNet5`, `plots.plot_records` and `course_utils.quiz.show` lead to their documentation wherever a
lesson, a guide or a docstring writes them as code. `names.json`, among the pages, says which name
means what.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

NOTE = re.compile(r"^(Source|Differs): (.*\n?(?:    .*\n?)*)", re.MULTILINE)
CODE = re.compile(r":\n\n    (?=\S)")


class NamesBecomeLinks(SphinxPostTransform):
    """Wraps code that is the name of something documented into a link."""

    default_priority = 400  # after the references that a text spells out
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Link the names on one page."""
        objects = self.env.domains.python_domain.objects
        for node in list(self.document.findall(nodes.literal)):
            full = self.config.course_names.get(node.astext().removesuffix("()"))
            if full not in objects or _is_apart(node):
                continue
            target = objects[full]
            link = make_refnode(
                self.app.builder, self.env.docname, target.docname, target.node_id, node.deepcopy()
            )
            node.replace_self(link)


def _is_apart(node: nodes.Node) -> bool:
    """Return whether a node stands in a link, a heading or a signature."""
    return isinstance(node.parent, nodes.reference | nodes.title) or bool(
        node.parent and node.parent.parent and isinstance(node.parent.parent, nodes.reference)
    )


def _in_rst(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring into what napoleon reads: our notes as paragraphs, code as blocks."""
    text = "\n".join(lines)
    if what == "data" and text.strip() == (inspect.getdoc(thing) or "").strip():
        text = ""  # a value has its type's, such as that of dict
    text = NOTE.sub(lambda note: f"\n**{note[1]}:** {' '.join(note[2].split())}\n", text)
    lines[:] = CODE.sub("::\n\n    ", text).splitlines()


def _contents(app: Sphinx, page: str, _: str, context: dict[str, Any], __: Any) -> None:
    """Give each page the front page's contents, moved: to work them out anew takes very long."""
    kept = app.config.course_kept

    def toctree(**options: Any) -> str:
        if "course_contents" not in kept:
            front = app.builder._get_local_toctree(app.config.root_doc, **options)
            kept["course_contents"] = front.replace(
                'role="heading"', 'role="heading" aria-level="2"'
            )
        link = f'"><a class="reference internal" href="{page}.html"'
        current = ' current"><a class="current reference internal" href="#"'
        contents = kept["course_contents"].replace(link, current)
        return re.sub('href="(?!#)', f'href="{"../" * page.count("/")}', contents)

    context["toctree"] = toctree


def _read_names(app: Sphinx, config: Any) -> None:
    config.course_names = json.loads(Path(app.srcdir, "names.json").read_text("utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the extension to Sphinx."""
    app.add_config_value("course_names", {}, "")
    app.add_config_value("course_kept", {}, "")
    app.connect("config-inited", _read_names)
    app.connect("autodoc-process-docstring", _in_rst, priority=400)  # before napoleon
    app.connect("html-page-context", _contents, priority=400)  # before the theme
    app.add_post_transform(NamesBecomeLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
