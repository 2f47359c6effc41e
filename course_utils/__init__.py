"""A hands-on course on convolutional networks, in PyTorch: what its notebooks import.

Begin here: images, a network, its training, one honest number at the end, and a figure.

    import course_utils as course

    loaders = course.data.load("fashion_mnist_mini", batch_size=64)
    model = course.models.build("lenet5", in_channels=1, num_classes=10)
    history = course.training.fit(model, loaders, course.training.TrainConfig(epochs=2))
    print(course.training.evaluate(model, loaders.test).accuracy)
    course.plots.plot_history(history)

`course.quiz.show("07_lenet")` asks questions in a notebook, and `python -m course_utils lab` opens
the lessons. `help(course_utils.data)` says more about one part. The parts are:

    data          images with labels in batches: `load` a set by name, or a folder of photos
    models        every architecture of the lessons: `names()` lists them, `build` makes one
    training      `fit` a model, `evaluate` it, keep its history; checkpoints, recorded runs
    inspection    what a layer costs and sees: `summary`, `grad_cam`, gradients, landscapes
    plots         a figure for each of these: `plot_images`, `plot_history`, `plot_block`
    widgets       demos that move in the notebook, such as `ConvolutionStepper()`
    challenge     who classifies `shapes` best, on a budget: score an entry at home
    quiz          pop quizzes that name the slip: `show` asks those of a lesson
    checks        what an exercise checks your answers with
    beside        how checks reach your code where another process runs it
    arithmetic    sizes, receptive fields, parameters and multiply-adds in whole numbers
    equivariance  how an output responds to a shift of the input
    kernels       the image filters: blurs, edges, the Laplacian
    facts         figures from the papers, traps of the folklore, and whom to cite
    runtime       where a lesson runs: device, seed, profile, and claims that are checked
    doctor        what this machine has, and what to do about each problem
    lab           JupyterLab, open on the first lesson
    cli           the commands of `python -m course_utils`
    tables        the table that other parts return
    arguments     the sentences that refuse a wrong argument
    startup       threads and variables to set before PyTorch starts
    provenance    the processor and the code that a measured figure comes from

A part is imported when it is first used. Importing one does no work: no download, no seed, no
device, no output. Each imports only from parts on floors below its own:

    cli
    doctor
    lab
    quiz
    widgets
    plots       challenge
    training    inspection  equivariance
    data        models
    arithmetic  facts       kernels      runtime    checks
    tables      provenance  startup      arguments  beside
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.2.0"

__all__ = [
    "arguments",
    "arithmetic",
    "beside",
    "challenge",
    "checks",
    "cli",
    "data",
    "doctor",
    "equivariance",
    "facts",
    "inspection",
    "kernels",
    "lab",
    "models",
    "plots",
    "provenance",
    "quiz",
    "runtime",
    "startup",
    "tables",
    "training",
    "widgets",
]

if TYPE_CHECKING:
    from course_utils import (
        arguments,
        arithmetic,
        beside,
        challenge,
        checks,
        cli,
        data,
        doctor,
        equivariance,
        facts,
        inspection,
        kernels,
        lab,
        models,
        plots,
        provenance,
        quiz,
        runtime,
        startup,
        tables,
        training,
        widgets,
    )
else:

    def __getattr__(name: str) -> ModuleType:
        """Import a part when it is first asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    """List the parts, imported or not, for tab completion."""
    return sorted({*globals(), *__all__})
