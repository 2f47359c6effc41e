"""A small web server on the loopback, and small data sets in the formats of the real ones."""

import gzip
import hashlib
import http.server
import io
import pickle
import socket
import struct
import tarfile
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from torchvision import datasets

from course_utils.data.classic import classic_set


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves bytes from memory, as well or as badly as the test says."""

    def do_GET(self):
        server = self.server
        name = self.path.removeprefix("/")
        server.requests.append(name)
        if name not in server.files:
            self.send_error(404)
            return
        content = server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: server.breaks_at])
        self.wfile.flush()
        time.sleep(server.stalls_for)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server with `files`, `requests`, `breaks_at` (a byte), `stalls_for` (seconds) and `url`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.requests = {}, []
    server.breaks_at, server.stalls_for = None, 0
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach a server fails as it does without a network."""

    def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx(array):
    """The bytes of an idx file."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def idx_files(num_train=30, num_test=20):
    dice = np.random.default_rng(0)
    files = {}
    for part, num in (("train", num_train), ("t10k", num_test)):
        images = dice.integers(0, 256, (num, 28, 28), dtype=np.uint8)
        files[f"{part}-images-idx3-ubyte"] = idx(images)
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(num, dtype=np.uint8) % 10)
    return files


@pytest.fixture
def tiny_mnist(server, monkeypatch):
    """A set in MNIST's format: 30 and 20 pictures, its archives on the server."""
    contents = idx_files()
    server.files = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}
    kind = type(
        "TinyMNIST",
        (datasets.MNIST,),
        {
            "mirrors": ["http://127.0.0.1:9/", server.url],  # nobody listens at the first
            "resources": [(name, md5(content)) for name, content in server.files.items()],
        },
    )
    monkeypatch.setattr(datasets, "TinyMNIST", kind, raising=False)
    return replace(
        classic_set("mnist"),
        name="tiny_mnist",
        kind="TinyMNIST",
        folder="TinyMNIST/raw",
        files={name: md5(content) for name, content in contents.items()},
    )


def cifar_files():
    dice = np.random.default_rng(0)
    files = {"batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        data = dice.integers(0, 256, (20, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": data, "labels": [i % 10 for i in range(20)]})
    return files


def tar_gz(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def tiny_cifar(server, monkeypatch):
    """A set in CIFAR-10's format: 100 and 20 pictures, its archive on the server."""
    contents = cifar_files()
    server.files = {"tiny.tar.gz": tar_gz({"readme.html": b"hello", **contents})}
    sums = {name: md5(content) for name, content in contents.items()}
    kind = type(
        "TinyCIFAR",
        (datasets.CIFAR10,),
        {
            "url": f"{server.url}tiny.tar.gz",
            "filename": "tiny.tar.gz",
            "tgz_md5": md5(server.files["tiny.tar.gz"]),
            "train_list": [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)],
            "test_list": [["test_batch", sums["test_batch"]]],
            "meta": {**datasets.CIFAR10.meta, "md5": sums["batches.meta"]},
        },
    )
    monkeypatch.setattr(datasets, "TinyCIFAR", kind, raising=False)
    return replace(
        classic_set("cifar10"),
        name="tiny_cifar",
        kind="TinyCIFAR",
        files=sums,
        archive="tiny.tar.gz",
    )
