"""What calls the grader `course_utils.grading`, as before 0.2, goes on working, and unwarned."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
from nbconvert import NotebookExporter
from traitlets.config.loader import PyFileConfigLoader
from traitlets.utils.importstring import import_item

import convnet_grader
from convnet_grader import preprocessors
from convnet_grader.execute import SandboxedExecute

OLD = "course_utils.grading"
NEW_SINCE = {"cli"}
MODULES = {module.name for module in pkgutil.iter_modules(convnet_grader.__path__)} - NEW_SINCE
NAMED = [  # in teachers' settings, in scripts, and in what the guide to the hub says
    "exchange.CollectOwn",
    "exchange.number_by_name",
    "execute.SandboxedExecute",
    "folder.Batch",
    "preprocessors.RequireEvidence",
    "preprocessors.RestoreCells",
    "preprocessors.WithholdHidden",
    "sandbox.Limits",
    "session.run_batch",
]
SETTINGS = """
from course_utils.grading.execute import SandboxedExecute
from course_utils.grading.preprocessors import RequireEvidence, RestoreCells

c = get_config()
c.Autograde.sanitize_preprocessors = [RestoreCells]
c.Autograde.autograde_preprocessors = [
    SandboxedExecute, "course_utils.grading.preprocessors.RequireEvidence"
]
c.SandboxedExecute.memory_mb = 1000
"""


def run(code):
    """Run Python with every warning shown; return what it prints, and what it complains of."""
    command = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "from course_utils.grading import checks",
        "import course_utils.grading.checks as checks",
        "import course_utils.grading; checks = course_utils.grading.checks",
    ],
)
def test_an_exercise_finds_its_checks_and_no_grader(line):
    code = f"import sys\n{line}\nimport course_utils.checks\n"
    code += "print(checks is course_utils.checks, 'convnet_grader' in sys.modules)"
    assert run(code) == ("True False\n", "")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_has_all_its_names_at_the_old_address(module):
    new = import_module(f"convnet_grader.{module}")
    assert import_module(f"{OLD}.{module}") is new
    assert new.__spec__.name == new.__name__ == f"convnet_grader.{module}"
    for name in new.__all__:
        assert import_item(f"{OLD}.{module}.{name}") is getattr(new, name)


@pytest.mark.parametrize("name", NAMED)
def test_what_settings_and_scripts_name_is_there(name):
    assert import_item(f"{OLD}.{name}") is import_item(f"convnet_grader.{name}")


def test_the_old_address_complains_of_nothing_but_what_never_was():
    lines = [f"import {OLD}.{module}" for module in sorted(MODULES)]
    assert run("\n".join([*lines, "print('all')"])) == ("all\n", "")
    with pytest.raises(ModuleNotFoundError, match="nothing_such"):
        import_module(f"{OLD}.nothing_such")


def test_saved_settings_of_nbgrader_name_the_same_steps(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(SETTINGS)
    config = PyFileConfigLoader("nbgrader_config.py", str(tmp_path)).load_config()
    assert config.Autograde.sanitize_preprocessors == [preprocessors.RestoreCells]
    exporter = NotebookExporter(config=config)  # as nbgrader does
    for step in config.Autograde.autograde_preprocessors:
        exporter.register_preprocessor(step)
    execute, require = exporter._preprocessors[-2:]
    assert type(execute) is SandboxedExecute and execute.limits.memory_mb == 1000
    assert type(require) is preprocessors.RequireEvidence


RELEASED = """
from course_utils.checks import CheckFailed, ListedBatches, NotAnswered, Stage
from course_utils.checks import as_integer, as_shape, award, beside, buffers_of, generator
from course_utils.checks import gradients_of, is_module, name_slip, parameters_of, random_tensor
from course_utils.checks import require, require_number, require_own_layers, require_stages
from course_utils.checks import require_tensor, reveal, set_mode, set_parameters, show
from course_utils.checks import uneven_batches, without
"""


def test_what_exercises_used_that_were_released_before_is_still_there():
    exec(RELEASED, {})  # some of it is used by none of today's exercises
