"""What can go wrong with a data set on this machine, as exceptions with one clear sentence."""


class DataUnavailable(RuntimeError):
    """A data set cannot be had now: no network, no such folder, no space left on the disk."""


class DataCorrupt(DataUnavailable):
    """A file of a data set is here, but it is not what it should be."""
