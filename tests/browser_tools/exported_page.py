"""A notebook as the page that nbconvert makes of it."""

import nbformat
from nbconvert import HTMLExporter


def export(notebook: nbformat.NotebookNode) -> str:
    """Return the notebook as nbconvert's HTML page, stored widget state left out."""
    notebook.metadata.pop("widgets", None)
    return HTMLExporter().from_notebook_node(notebook)[0]
