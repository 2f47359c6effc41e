"""Fetching files over a network that may fail at any moment."""

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from course_utils.data.errors import DataCorrupt

TIMEOUT_SECONDS = 30.0
_CHUNK_BYTES = 2**18
NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def md5_of(path: Path) -> str:
    """The MD5 of a file's content, in hexadecimal.

    It guards against damage, not against malice: it is what the makers of these data sets
    published.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no more room on the disk."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))


def fetch(urls: Sequence[str], target: Path, md5: str) -> None:
    """Download a file, with a progress bar, and put it in place when it is whole.

    Until then it is called `target` + ".part". A download that was cut off goes on from there
    where the server can do that; most can.

    Args:
        urls: where the file can be had, tried in turn.
        target: where to put it.
        md5: of its content.

    Raises:
        DataCorrupt: what arrived is not the file.
        OSError: no server could be reached (one of `NETWORK_ERRORS`), or the disk is full.
    """
    part = target.with_name(f"{target.name}.part")
    for last, url in zip([*([False] * (len(urls) - 1)), True], urls, strict=True):
        try:
            _fetch_part(url, part)
            break
        except NETWORK_ERRORS:
            if last:
                raise
    if md5_of(part) != md5:
        part.unlink()
        raise DataCorrupt(f"{target.name} was damaged on its way (its MD5 is wrong): load it again")
    part.replace(target)


def _fetch_part(url: str, part: Path) -> None:
    """Append to a file what it lacks."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "convnet-course"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()  # there is nothing after what we have: what we have is not the beginning
        return _fetch_part(url, part)
    with response:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if continued else "wb") as file:
            _copy(response, file, have if continued else 0)
    return None


def _copy(response: http.client.HTTPResponse, file: IO[bytes], have: int) -> None:
    """Copy a response into a file, with a progress bar."""
    from tqdm.auto import tqdm

    missing = response.length  # None where the server does not say
    total = None if missing is None else have + missing
    name = Path(file.name).name.removesuffix(".part")
    with tqdm(total=total, initial=have, desc=name, unit="B", unit_scale=True) as bar:
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and file.tell() < total:
        raise ConnectionError("the connection broke")


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep other processes out until the block is left, or this process ends however it may.

    Args:
        lock: a file for the purpose; it stays.
    """
    with lock.open("ab") as file:
        _lock(file.fileno())
        yield


def _lock(descriptor: int) -> None:
    """Wait for the lock on an open file; closing the file gives it back."""
    if os.name == "nt":
        import msvcrt

        while True:
            try:
                return msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
            except OSError:  # it gives up after ten seconds
                continue
    import fcntl

    return fcntl.flock(descriptor, fcntl.LOCK_EX)
