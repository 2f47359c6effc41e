"""Interactive demos that compute in the browser: live in JupyterLab and in an exported page.

Each widget is a Python file (its state, and a reference implementation that tests hold it
against) with an .mjs file of the same name beside it (what the browser runs).
"""

from course_utils.widgets.channel_stepper import ChannelStepper
from course_utils.widgets.convolution_stepper import ConvolutionStepper
from course_utils.widgets.fourier_gallery import FourierGallery
from course_utils.widgets.parameter_counter import ParameterCounter
from course_utils.widgets.pooling_and_order import PoolingAndOrder
from course_utils.widgets.receptive_field_explorer import ReceptiveFieldExplorer
from course_utils.widgets.shift_lab import ShiftLab
from course_utils.widgets.spurious_background_dial import SpuriousBackgroundDial

__all__ = [
    "ChannelStepper",
    "ConvolutionStepper",
    "FourierGallery",
    "ParameterCounter",
    "PoolingAndOrder",
    "ReceptiveFieldExplorer",
    "ShiftLab",
    "SpuriousBackgroundDial",
]
