"""Show a figure in a notebook, with a text for readers who cannot see it."""

import base64
import html
import io

import numpy as np
from IPython.display import DisplayHandle
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["show", "to_bundle", "to_html"]

CSS_DPI = 96  # dots per inch that a page is laid out in
DPI = 144  # dots per inch that are drawn: sharp on most screens, and still a small file
LARGE = 120_000  # bytes: beyond this a figure holds photos, which can be compressed with loss


def to_html(figure: Figure, alt: str) -> str:
    """Return an `<img>` that holds the figure as WebP, and its alt text as `show` takes it.

    The image is part of the text, so it survives in an exported page, in an untrusted
    notebook and without a network.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows")
    drawn = draw(figure)
    picture = to_webp(drawn, lossless=True)
    if len(picture) > LARGE:
        picture = to_webp(drawn, lossless=False)
    data = base64.b64encode(picture).decode("ascii")
    width = round(figure.get_figwidth() * CSS_DPI)
    return (
        f'<img alt="{html.escape(alt)}" width="{width}" style="max-width:100%;background:white" '
        f'src="data:image/webp;base64,{data}">'
    )


def draw(figure: Figure) -> Image.Image:
    """Return the pixels of a figure, drawn once; `savefig` would draw it twice, for its layout."""
    canvas, usual = FigureCanvasAgg(figure), figure.dpi
    figure.dpi = DPI
    canvas.draw()
    figure.dpi = usual
    return Image.fromarray(np.asarray(canvas.buffer_rgba()))


def to_webp(drawn: Image.Image, *, lossless: bool) -> bytes:
    """Return an image as a WebP file: exact, or several times smaller and a little soft."""
    buffer = io.BytesIO()
    # For a lossless file, "quality" is effort: 100 takes three times as long for the same size.
    options = {"lossless": True, "quality": 80} if lossless else {"quality": 90}
    drawn.save(buffer, format="webp", **options)
    return buffer.getvalue()


def show(figure: Figure, alt: str) -> None:
    """Display a figure in the notebook.

    Args:
        figure: What a `plot_*` function returned.
        alt: What the figure shows, in a sentence; a screen reader reads it aloud.

    Raises:
        ValueError: The alt text is empty.
    """
    DisplayHandle().display(to_bundle(figure, alt), raw=True)


def to_bundle(figure: Figure, alt: str) -> dict[str, str]:
    """Return the figure as a notebook stores it: an image with its text, and the text alone."""
    return {"text/html": to_html(figure, alt), "text/plain": f"[figure: {alt}]"}
