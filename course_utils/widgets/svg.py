"""A few shapes of SVG, enough for the widgets' still pictures; the same input, the same bytes."""

import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from html import escape

import matplotlib as mpl

Colour = Callable[[float], str]

INK, MUTED, PANEL, MARK, ACCENT = "#1b1f24", "#57606a", "#f6f8fa", "#d55e00", "#0072b2"
OKABE_ITO = {
    "orange": "#E69F00",
    "skyBlue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "black": "#000000",
}


def number(x: float, digits: int = 2) -> str:
    """Return a number with at most `digits` decimals and a real minus sign.

    >>> number(-0.5), number(3.0), number(10 / 3), number(-3.125)
    ('−0.5', '3', '3.33', '−3.13')
    """
    rounded = Decimal(x).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{float(rounded) + 0.0:.{digits}f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def fraction(x: float) -> str:
    """Return a number as a short fraction where it is one, else with decimals.

    >>> fraction(1 / 9), fraction(-0.25), fraction(2)
    ('1/9', '−1/4', '2')
    """
    near = Fraction(x).limit_denominator(256)
    return str(near).replace("-", "−") if abs(float(near) - x) < 1e-9 else number(x, 3)


def count(x: float) -> str:
    """Return a count with thin spaces between thousands.

    >>> count(61706).replace(chr(0x2009), "_")
    '61_706'
    """
    return f"{round(x):,}".replace(",", "\u2009")


def compact(x: float) -> str:
    """Return a large count in words.

    >>> compact(138357544), compact(2.44e9)
    ('138 million', '2.44 billion')
    """
    names = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
    found = next(((size, name) for size, name in names if x >= size), None)
    return f"{float(f'{x / found[0]:.3g}'):g} {found[1]}" if found else count(x)


def colour_scale(values: Sequence[float], signed: bool | None = None) -> Colour:
    """Return a colour for each value: cividis from 0 to the largest, PuOr if any is negative.

    Args:
        values: the numbers to be shown.
        signed: True for PuOr, False for cividis; decided by the numbers when left out.

    Returns:
        A function from a number to a hex colour.
    """
    largest = max((abs(v) for v in values), default=0) or 1
    if signed is None:
        signed = any(v < 0 for v in values)
    table = mpl.colormaps["PuOr" if signed else "cividis"]
    shift, spread = (0.5, 2) if signed else (0, 1)
    return lambda v: mpl.colors.to_hex(table(shift + v / largest / spread))


def ink(fill: str) -> str:
    """Return black or white, whichever is easier to read on the colour `fill`."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in mpl.colors.to_rgb(fill)
    ]
    luminance = sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if luminance > 0.179 else "#ffffff"


def png(colours: Sequence[Sequence[str]]) -> bytes:
    """Return rows of hex colours as a PNG file; the same colours, the same bytes.

    It is not compressed: how well zlib does that depends on its version.

    Raises:
        ValueError: for more pixels than one block of the file holds.
    """
    rows = b"".join(b"\0" + bytes.fromhex("".join(row).replace("#", "")) for row in colours)
    if len(rows) > 0xFFFF:
        raise ValueError(f"{len(rows)} bytes of pixels: at most 65535 fit, about 147 x 147 pixels")
    length = struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF)
    stream = b"\x78\x01\x01" + length + rows + struct.pack(">I", zlib.adler32(rows))
    head = struct.pack(">IIBBBBB", len(colours[0]), len(colours), 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", head), (b"IDAT", stream), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@dataclass
class Drawing:
    """A white page to draw on; lengths are pixels, y points down."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float = 14,
        anchor: str = "start",
        fill: str = INK,
        bold: bool = False,
    ) -> None:
        """Write one line whose baseline is at y."""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" '
            f'fill="{fill}"{weight}>{escape(content, quote=False)}</text>'
        )

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = "none",
        line: float = 1,
        dash: str = "",
    ) -> None:
        """Draw a rectangle."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"{dashes}/>'
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str = INK,
        line: float = 1.5,
        fill: str = "none",
    ) -> None:
        """Draw straight lines from point to point; filled if a fill is given."""
        path = " ".join(f"{x:.6g},{y:.6g}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
        )

    def grid(
        self,
        x: float,
        y: float,
        values: Sequence[Sequence[float | None]],
        *,
        cell: float = 34,
        colour: Colour | None = None,
        label: Callable[[float], str] = number,
    ) -> None:
        """Draw a grid of numbers in coloured cells; None leaves a cell empty."""
        for row, line in enumerate(values):
            for col, value in enumerate(line):
                left, top = x + col * cell, y + row * cell
                fill = PANEL if value is None or colour is None else colour(value)
                self.rect(left, top, cell, cell, fill=fill, stroke="#d0d7de")
                if value is None:
                    continue
                text = label(value)
                size = min(0.4 * cell, 16, 1.5 * cell / len(text))
                middle = left + cell / 2, top + cell / 2 + 0.36 * size
                self.text(*middle, text, size=size, anchor="middle", fill=ink(fill))

    def picture(
        self, x: float, y: float, values: Sequence[Sequence[float]], *, size: float, colour: Colour
    ) -> None:
        """Draw a square picture without numbers; far shorter than a rectangle for each pixel.

        Values are rounded to 6 decimals, so that no machine's last bits change a colour.
        """
        colours = [[colour(round(v, 6)) for v in row] for row in values]
        image = base64.b64encode(png(colours)).decode()
        self.parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{image}"/>'
        )

    def window(self, x: float, y: float, width: float, height: float, *, dash: str = "") -> None:
        """Frame what the reader should look at."""
        self.rect(x, y, width, height, stroke="#ffffff", line=6)
        self.rect(x, y, width, height, stroke=MARK, line=3.5, dash=dash)

    def render(self) -> str:
        """Return the SVG document."""
        size = f'width="{self.width:g}" height="{self.height:g}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
            f'viewBox="0 0 {self.width:g} {self.height:g}" '
            'font-family="system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif">'
        )
        page = f'<rect width="{self.width:g}" height="{self.height:g}" fill="#ffffff"/>'
        return "\n".join([head, page, *self.parts, "</svg>\n"])
