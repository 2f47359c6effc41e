"""Helpers for the convnet course: data, architectures, training, figures and quizzes.

The floors of the package, each importing only from those below it::

    cli
    doctor
    lab
    quiz
    widgets
    plots
    training inspection  equivariance
    data     models
    arithmetic  facts  kernels  runtime
    tables  provenance  startup

Importing the package does no work: no download, no seed, no device, no output.
"""

__version__ = "0.1.0"
