"""Putting a figure into a notebook, with a text for readers who cannot see it."""

import base64
import html
import io

from IPython.display import DisplayHandle
from matplotlib.figure import Figure

DPI = 144  # twice the 72 dots per inch that a page is laid out in: sharp on every screen


def to_html(figure: Figure, alt: str) -> str:
    """Return an ``<img>`` that holds the figure as PNG and its alt text.

    The picture is part of the text, so it survives in an exported page, in an untrusted
    notebook and without a network.

    Args:
        figure: What to draw.
        alt: What the figure says, in a sentence.

    Raises:
        ValueError: The alt text is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = round(figure.get_figwidth() * 72)
    return (
        f'<img alt="{html.escape(alt)}" width="{width}" style="max-width:100%;background:white" '
        f'src="data:image/png;base64,{data}">'
    )


def show(figure: Figure, alt: str, handle: DisplayHandle | None = None) -> DisplayHandle:
    """Display a figure in the notebook.

    Args:
        figure: What a ``plot_*`` function returned.
        alt: What the figure says, in a sentence; read aloud by a screen reader.
        handle: Where to draw; given one, its old picture is replaced.

    Returns:
        The handle of this display.

    Raises:
        ValueError: The alt text is empty.
    """
    bundle = {"text/html": to_html(figure, alt), "text/plain": f"[figure: {alt}]"}
    if handle is None:
        handle = DisplayHandle()
        handle.display(bundle, raw=True)
    else:
        handle.update(bundle, raw=True)
    return handle
