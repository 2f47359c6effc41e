"""What can go wrong with a data set."""

__all__ = ["DataCorrupt", "DataUnavailable"]


class DataUnavailable(RuntimeError):
    """A data set is not available now: no network, no such folder, no space left on the disk."""


class DataCorrupt(DataUnavailable):
    """A file of a data set is here, but it is not what it should be."""
