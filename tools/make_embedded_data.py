"""Make the images that the course ships from the official Fashion-MNIST files.

    python tools/make_embedded_data.py            writes course_utils/data/embedded/...
    python tools/make_embedded_data.py --check    makes it in memory and compares every byte

The official files are looked for in the folders of `PLACES`; `--source DIR` names another.
Debian and Ubuntu carry them in the package `dataset-fashion-mnist`; they may be compressed
(.gz) or not, since it is their content that is checked.

The result is an .npz file that `numpy.load` reads: a zip file of .npy arrays. Its bytes depend
only on the images: fixed order, names and dates, and bzip2, which has one implementation in
general use. Deflate, the usual compression of .npz files, has several (zlib, zlib-ng) with
different output; it would also be larger (5.2 MB instead of 4.8 MB).
"""

import argparse
import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from course_utils.arguments import as_path

TARGET = Path(__file__).parents[1] / "course_utils/data/embedded/fashion_mnist_mini.npz"
PLACES = (
    Path("/usr/share/datasets/fashion-mnist"),
    Path(__file__).parents[1] / "data/FashionMNIST/raw",
)
# SHA-256 of the uncompressed files, and where the numbers start in each.
OFFICIAL = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
NUM_CLASSES = 10
PER_CLASS = {"train": 1000, "test": 200}
HEADER_BYTES = {"images": 16, "labels": 8}


def read_official(source: Path, name: str) -> bytes:
    """Read one official file, compressed or not.

    Args:
        source: The folder it is in.
        name: Its name without .gz.

    Raises:
        ValueError: It is missing, or its content is not the official one.
    """
    plain, packed = source / name, source / f"{name}.gz"
    if plain.is_file():
        content = plain.read_bytes()
    elif packed.is_file():
        content = gzip.decompress(packed.read_bytes())
    else:
        raise ValueError(
            f"{packed} is missing: install Debian's package dataset-fashion-mnist, or name the "
            "folder of the four official files with --source"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != OFFICIAL[name]:
        raise ValueError(
            f"{source / name} is not the official file: its SHA-256 is {found}, not "
            f"{OFFICIAL[name]}"
        )
    return content


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Return the positions of the first images of each class, in the order of the file.

    Args:
        labels: Integers (N,).
        per_class: How many of each class.
    """
    firsts = [np.flatnonzero(labels == c)[:per_class] for c in range(NUM_CLASSES)]
    return np.sort(np.concatenate(firsts))


def make_arrays(source: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the shipped file.

    Args:
        source: The folder of the official files.

    Returns:
        `train_images` (10000, 28, 28), `train_labels` (10000,) and the same for `test`
        (2000), all uint8.
    """
    arrays = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = read_official(source, f"{prefix}-images-idx3-ubyte")
        labels = read_official(source, f"{prefix}-labels-idx1-ubyte")
        all_images = np.frombuffer(images, np.uint8, offset=HEADER_BYTES["images"])
        all_labels = np.frombuffer(labels, np.uint8, offset=HEADER_BYTES["labels"])
        chosen = choose(all_labels, PER_CLASS[part])
        arrays[f"{part}_images"] = all_images.reshape(-1, 28, 28)[chosen]
        arrays[f"{part}_labels"] = all_labels[chosen]
    return arrays


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """Write arrays as an .npz file whose bytes depend on them alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_BZIP2
            entry.create_system = 3  # else the file would name the system it was made on
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()


def find_source(named: Path | None) -> Path:
    """Return the folder of the official files: the one named, or the first of the usual places."""
    if named is not None:
        return named
    return next((place for place in PLACES if place.is_dir()), PLACES[0])


def main(arguments: list[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0 when done; 1 when `--check` finds a difference; 2 when the official files are missing
        or not the official ones.
    """
    parser = argparse.ArgumentParser(
        description="Make the images shipped with the course from the official files."
    )
    parser.add_argument("--source", type=as_path, help="folder of the four official files")
    parser.add_argument("--target", type=as_path, default=TARGET, help="file to write or compare")
    parser.add_argument("--check", action="store_true", help="write nothing, compare bytes")
    options = parser.parse_args(arguments)
    try:
        content = pack(make_arrays(find_source(options.source)))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return compare(content, options.target) if options.check else write(content, options.target)


def compare(content: bytes, target: Path) -> int:
    """Compare the file with what it should be."""
    if target.is_file() and target.read_bytes() == content:
        print(f"{target.name} is what the official files give, byte for byte")
        return 0
    print(f"{target} differs from what the official files give", file=sys.stderr)
    return 1


def write(content: bytes, target: Path) -> int:
    """Write the file and say its size and SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    print(f"{target.name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
