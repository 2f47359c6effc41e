"""Text in an unnamed encoding: tables of spreadsheet programs, names in archives."""

import locale
import re
from collections.abc import Iterator
from unicodedata import normalize

__all__ = ["composed", "decoded"]

HANGUL = re.compile("[\x00-\x7f\uac00-\ud7a3]*")
PAIR = re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")
"""A common syllable in cp949; two such letters in a row are rare in Western names."""


def composed(text: str) -> str:
    """Return a name in the form to compare: macOS splits syllables and accents."""
    return normalize("NFC", text)


def decoded(data: bytes, western: str = "cp1252") -> tuple[str, str]:
    """Return the text that bytes stand for, and the name of their encoding.

    Args:
        data: In UTF-8, or in the encoding of this machine, of Windows in Korea (cp949) or of
            Windows in Western Europe.
        western: The last of these.

    Raises:
        UnicodeDecodeError: They are in none of them; the error is that of UTF-8.
    """
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        for encoding in _likely(data, western):
            try:
                return data.decode(encoding), encoding
            except UnicodeDecodeError:
                continue
        raise error from None


def _likely(data: bytes, western: str) -> Iterator[str]:
    """Yield the encodings to try, the likeliest first."""
    yield locale.getpreferredencoding(False)
    is_korean = HANGUL.fullmatch(data.decode("cp949", "replace")) and PAIR.search(data)
    yield from ("cp949", western) if is_korean else (western, "cp949")
