"""Sphinx's settings for the course's site; `tools/website.py` calls it on pages that it prepares.

Sphinx with myst-nb reads the notebooks and documents the package from one set of packages that pip
installs. Jupyter Book 2 asks a server for its theme while it builds, and has no autodoc.
"""

import sys
from pathlib import Path

import course_utils

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "Convnets, hands on"
author = copyright = "The authors of Convnets, hands on"
release = version = course_utils.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "course",
]
viewcode_follow_imported_members = False  # each thing is documented where it is defined
exclude_patterns = ["originals"]

# --- Notebooks and Markdown ----------------------------------------------------------------------

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # our widgets are in their outputs
myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
mathjax_path = "tex-svg.js"

# --- The package ---------------------------------------------------------------------------------

default_role = "py:obj"  # code in docstrings stands between single backticks
toc_object_entries = False  # each page would carry thousands of them
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True, "no-value": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# --- The pages -----------------------------------------------------------------------------------

html_theme = "furo"
html_title = project
html_favicon = str(HERE / "favicon.svg")
html_static_path = [str(HERE / "static")]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch the pages found, which no file:// page may
html_permalinks_icon = "¶"
pygments_style = "default"
pygments_dark_style = "github-dark"
