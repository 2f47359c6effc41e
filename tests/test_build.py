"""The notebook builder: what a percent script becomes, and when it is built again."""

import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def build():
    """Import tools/build.py, which is a script and no part of the package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return load_script("tools/build.py")
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture
def source(tmp_path):
    def write(text, slug="01_test"):
        path = tmp_path / f"{slug}.py"
        path.write_text(text, "utf-8")
        return path

    return write


LESSON = """# %% [markdown]
# # 01 · A title
#
# Text.

# %%
x = 1

# %% [markdown]
# ## The loop, written out!

# %% tags=["nbval-ignore-output"]
print(x)

# %%
print(x + 1)
"""


def test_cells_get_stable_ids_by_section(build, source):
    notebook = build.read_source(source(LESSON))
    ids = [cell.id for cell in notebook.cells]
    assert ids == [
        "01-a-title-01",
        "01-a-title-02",
        "the-loop-written-out-01",
        "the-loop-written-out-02",
        "the-loop-written-out-03",
    ]


def test_ids_stay_unique_when_a_section_name_returns(build, source):
    text = "".join(f"# %% [markdown]\n# ## Again\n\n# %%\n{n}\n\n" for n in range(3))
    ids = [cell.id for cell in build.read_source(source(text)).cells]
    assert len(set(ids)) == len(ids) == 6


def test_tags_are_kept_and_nothing_else(build, source):
    notebook = build.read_source(source(LESSON))
    assert [dict(cell.metadata) for cell in notebook.cells] == [
        {},
        {},
        {},
        {"tags": ["nbval-ignore-output"]},
        {},
    ]


def test_reading_twice_gives_the_same_bytes(build, source):
    path = source(LESSON)
    first, second = (nbformat.writes(build.read_source(path)) for _ in range(2))
    assert first == second


def test_an_inlined_class_is_the_package_s_own_source(build, source):
    line = "from course_utils.models.lenet import LeNet5  # inline"
    notebook = build.read_source(source(f"# %%\n{line}\n"))
    cell = notebook.cells[0].source
    package = (ROOT / "course_utils/models/lenet.py").read_text("utf-8")
    heading, _, code = cell.partition("\n")
    assert heading == "# The same code as in course_utils/models/lenet.py"
    assert code.startswith("class LeNet5(nn.Module):") and code in package
    assert "# (N, 16, 5, 5)" in code, "the shape comments survive"
    assert "ACTIVATIONS" not in code, "nothing but the class"


def test_only_a_marked_import_is_inlined(build, source):
    line = "from course_utils.models.lenet import LeNet5"
    assert build.read_source(source(f"# %%\n{line}\n")).cells[0].source == line


def test_decorators_and_several_names_are_inlined(build, tmp_path, monkeypatch, source):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "course_utils").mkdir()
    (tmp_path / "course_utils/tiny.py").write_text(
        "import functools\n\nSIZE = 3  # pixels\n\n\n@functools.cache\ndef f():\n    return SIZE\n"
    )
    path = source("# %%\nfrom course_utils.tiny import f, SIZE  # inline\n")
    assert build.read_source(path).cells[0].source == (
        "# The same code as in course_utils/tiny.py\n"
        "@functools.cache\ndef f():\n    return SIZE\n\n\nSIZE = 3  # pixels"
    )


def test_a_name_that_does_not_exist_is_an_error(build, source):
    path = source("# %%\nfrom course_utils.models.lenet import LeNet6  # inline\n")
    with pytest.raises(ValueError, match=r"course_utils/models/lenet\.py does not define LeNet6"):
        build.read_source(path)


def test_unknown_metadata_is_an_error(build, source):
    with pytest.raises(ValueError, match=r"01_test\.py: a cell has the metadata"):
        build.read_source(source('# %% taks="typo"\nx = 1\n'))


@pytest.mark.parametrize(
    "keys, grade, solution, locked, points",
    [
        ('task="a"', False, True, False, None),
        ('check="a" points=2', True, False, True, 2),
        ('[markdown] written="a" points=3', True, True, False, 3),
        ('readonly="a"', False, False, True, None),
    ],
)
def test_the_short_exercise_keys_become_nbgrader_metadata(
    build, source, keys, grade, solution, locked, points
):
    notebook = build.read_source(source(f"# %% {keys}\n# text\n"))
    expected = {"grade": grade, "solution": solution, "locked": locked, "grade_id": "a"}
    expected |= {"schema_version": 3, "task": False} | ({"points": points} if points else {})
    assert notebook.cells[0].metadata == {"nbgrader": expected}


QUIZ = """# %% quiz="first"
first = None
### BEGIN SOLUTION
first = "A"
### END SOLUTION

# %% check="more" points=2
from course_utils import checks


### BEGIN HIDDEN TESTS
def check_answer(more):
    checks.require(more == 3, "not three")


checks.award(2, check_answer, more)
### END HIDDEN TESTS
"""


def test_a_question_is_asked_before_its_answer_and_checked_after_it(build, source, banks):
    cells = build.read_source(source(QUIZ, "01_one")).cells[:3]
    bank = '"exercises/01_one", "first", student_id'
    assert [cell.source for cell in cells] == [
        f"quiz.ask({bank})",
        'first = None\n### BEGIN SOLUTION\nfirst = "A"\n### END SOLUTION',
        f"""from course_utils import checks, quiz

QUESTION = ({bank})
form_is_right = checks.show(quiz.form(*QUESTION), first, fine="answered")
### BEGIN HIDDEN TESTS
checks.award(1, quiz.right(*QUESTION), first)
### END HIDDEN TESTS""",
    ]
    roles = [cell.metadata.nbgrader for cell in cells]
    assert [role.grade_id for role in roles] == ["ask_first", "first", "first_check"]
    assert [(role.solution, role.locked) for role in roles] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    assert [role.get("points") for role in roles] == [None, None, 1]


def test_a_question_that_the_bank_does_not_have_is_an_error(build, source, banks):
    with pytest.raises(ValueError, match="bank exercises/01_one has no item 'second': choose from"):
        build.read_source(source(QUIZ.replace('"first"', '"second"'), "01_one"))


def test_a_notebook_is_behind_when_its_source_changed(build, source, tmp_path):
    target = tmp_path / "out.ipynb"
    notebook = build.read_source(source(LESSON))
    assert not build.is_current(target, notebook)
    nbformat.write(notebook, target)
    assert build.is_current(target, build.read_source(source(LESSON)))
    assert not build.is_current(target, build.read_source(source(LESSON.replace("x = 1", "x = 2"))))
    tagged = LESSON.replace("# %%\nx = 1", '# %% tags=["a"]\nx = 1')
    assert not build.is_current(target, build.read_source(source(tagged)))


def test_an_exercise_read_back_from_disk_is_current(build, source, tmp_path):
    path = source('# %% check="a" points=2\nx = 1\n')
    target = tmp_path / "out.ipynb"
    nbformat.write(build.read_source(path), target)
    assert build.is_current(target, build.read_source(path))


def test_a_notebook_is_behind_when_a_widget_it_shows_changed(build, source, tmp_path, monkeypatch):
    path = source("# %%\nfrom course_utils.widgets import ConvolutionStepper\n")
    target = tmp_path / "out.ipynb"
    nbformat.write(build.read_source(path), target)
    assert build.is_current(target, build.read_source(path))
    monkeypatch.setattr(build, "widgets_fingerprint", lambda text: f"another of {text}")
    assert not build.is_current(target, build.read_source(path))


def test_only_the_widgets_it_shows_count(build, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "course_utils/widgets", tmp_path / "course_utils/widgets")
    monkeypatch.setattr(build, "ROOT", tmp_path)

    shown = "from course_utils.widgets import (\n    ParameterCounter,\n)"
    before = build.widgets_fingerprint(shown)
    for name, counts in (("shift_lab.mjs", False), ("__init__.py", False), ("base.py", True),
                         ("parameter_counter.css", True), ("shared.mjs", True)):  # fmt: skip
        file = tmp_path / "course_utils/widgets" / name
        text = file.read_text("utf-8")
        file.write_text(text + "\n", "utf-8")
        assert (build.widgets_fingerprint(shown) != before) == counts, name
        file.write_text(text, "utf-8")
    assert build.widgets_fingerprint(shown) == before


def test_executing_stores_outputs_without_times_or_widget_state(build, source, tmp_path):
    notebook = build.execute(build.read_source(source(LESSON)), tmp_path)
    assert [cell.outputs[0].text for cell in notebook.cells[3:]] == ["1\n", "2\n"]
    assert all("execution" not in cell.metadata for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_a_failing_cell_fails_the_build(build, source, tmp_path):
    path = source("# %%\nassert 1 == 2, 'this lesson is wrong'\n")
    with pytest.raises(Exception, match="this lesson is wrong"):
        build.execute(build.read_source(path), tmp_path)


def test_outputs_do_not_name_the_building_machine(build, source, tmp_path):
    text = f"# %%\nfrom pathlib import Path\nprint(Path({str(build.ROOT)[:4]!r} + "
    text += f"{str(build.ROOT)[4:]!r}) / 'data')\n"
    notebook = build.execute(build.read_source(source(text)), tmp_path)
    assert notebook.cells[0].outputs[0].text == "~/convnet-course/data\n"


def test_claims_are_tried_with_other_seeds(build, source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SEED_OFFSET", "0")
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    code = "from course_utils.runtime import expect, seed_everything\n"
    code += "expect(seed_everything(0).initial_seed() < 2, 'The seed is small.')"
    path = source(f"# %%\n{code}\n")
    with pytest.raises(SystemExit, match="Claims failed in 01_test"):
        build.try_seeds([(path, tmp_path / "out.ipynb")], [1, 2])
    printed = capsys.readouterr().out
    assert "01_test, seeds + 1: every claim holds" in printed
    assert "01_test, seeds + 2: the lesson claims this, but here it does not hold: " in printed
    assert not (tmp_path / "out.ipynb").exists()


CONTROLLED = """
# %%
from course_utils.runtime import expect
trained, fresh, a, b = 0.9, 0.1, 0.9, 0.8
show = str
show("red")
expect(a > b, "This one is exact.")
expect(trained > 0.8 and a > b, "It is good.", trained=True)

# %% control="untrained weights"
refute(fresh > 0.8, "It is good.")
"""


def test_controls_are_no_part_of_a_notebook(build, source):
    assert "refute" not in str(build.read_source(source(CONTROLLED)).cells)


def test_claims_and_their_controls_are_measured(build, source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    path = source(CONTROLLED)
    runs = build.try_controls([path], [0])
    assert [tuple(each) for each in runs["01_test"][0]] == [
        (None, "It is good.", True, {"trained": 0.9, "a": 0.9, "b": 0.8}),
        ("untrained weights", "It is good.", False, {"fresh": 0.1}),
    ]
    own = "`trained`: 0.9<br>`a`: 0.9<br>`b`: 0.8"
    assert f"| It is good. | {own} | untrained weights | `fresh`: 0.1 |" in build.page(runs)
    monkeypatch.setattr(build, "execute", None)  # what was tried is read again
    assert build.try_controls([path], [0]) == runs
    reworded = CONTROLLED.replace("This one is exact.", "This is exact.") + "# so it is\n"
    reworded = reworded.replace('show("red")', 'show("blue")')  # a figure
    assert build.try_controls([source(reworded)], [0]) == runs
    assert capsys.readouterr().out == "01_test, seeds + 0: 2 tried, 0 wrong\n" * 3
    for old, new in [
        ("It is good.", "It is fine."),
        ("fresh, a", "b, a"),
        ("0.9, 0.1", "0.9, 0.2"),
    ]:
        with pytest.raises(TypeError, match="NoneType"):  # it is run
            build.try_controls([source(CONTROLLED.replace(old, new))], [0])


def test_the_code_that_trains_is_known_without_its_docstrings(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    module = tmp_path / "course_utils/models/net.py"
    module.parent.mkdir(parents=True)

    def fingerprint(source):
        module.write_text(source, "utf-8")
        return build.training_fingerprint.__wrapped__()  # which keeps nothing

    before = fingerprint('"""A net."""\nwidth = 8\n')
    assert fingerprint('"""A narrow net."""\nwidth = 8  # channels\n') == before
    assert fingerprint('"""A net."""\nwidth = 9\n') != before
    assert fingerprint('layers = "3 3"\n') != fingerprint('layers = "3 3 3"\n')  # as VGG's are


def test_a_lesson_that_claims_nothing_of_a_trained_model_is_not_run(build, source, monkeypatch):
    monkeypatch.setattr(build, "execute", None)
    path = source(
        '# %%\nfrom course_utils.runtime import expect\nexpect(1 < 2, "This is exact.")\n'
    )
    assert build.try_controls([path], [0]) == {"01_test": {}}
    assert build.page({"01_test": {}}) == build.page({})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fresh, a, b = 0.9, 0.1", "fresh, a, b = 0.9, 0.9", "is also true on its control"),
        ("trained, fresh, a, b = 0.9", "trained, fresh, a, b = 0.7", "is false"),
    ],
)
def test_a_claim_that_fails_or_a_control_that_does_not(
    build, source, tmp_path, monkeypatch, capsys, old, new, says
):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    assert old in CONTROLLED
    with pytest.raises(SystemExit, match="1 claims or controls are wrong"):
        build.try_controls([source(CONTROLLED.replace(old, new))], [0])
    assert says in capsys.readouterr().out


BANK = """
[[items]]
id = "first"
kind = "single"
section = "The question"
question = "QUESTION"
explanation = "ANSWER"
options = [{ text = "yes", right = true }, { text = "no", rule = "no_floor" }]
"""


@pytest.fixture
def banks(build, monkeypatch):
    """Let two banks stand in memory; set one, and the builder reads it anew."""
    from course_utils.quiz import bank

    texts = {"01_one/lesson.toml": BANK, "01_one/exercise.toml": BANK, "02_two/lesson.toml": BANK}

    def put(path, old, new):
        texts[path] = texts[path].replace(old, new)
        bank._load.cache_clear()
        build.quiz_fingerprint.cache_clear()

    monkeypatch.setattr(bank, "names", lambda: ["01_one", "02_two", "exercises/01_one"])
    rules = (ROOT / "course_utils/quiz/banks/shared/rules.toml").read_text("utf-8")
    monkeypatch.setattr(bank, "_text", lambda path: texts.get(path, rules))
    put("01_one/lesson.toml", "", "")
    yield put
    monkeypatch.undo()
    bank._load.cache_clear()
    build.quiz_fingerprint.cache_clear()


@pytest.mark.parametrize(
    ("code", "bank"),
    [
        ('quiz.show("01_one")', "01_one/lesson.toml"),
        ('quiz.ask("exercises/01_one", "first", "kim")', "01_one/exercise.toml"),
        ('QUESTION = ("exercises/01_one", "first", "kim")', "01_one/exercise.toml"),
    ],
)
def test_a_notebook_is_behind_when_a_question_that_it_asks_changed(
    build, source, tmp_path, banks, code, bank
):
    path, target = source(f"# %%\nfrom course_utils import quiz\n\n{code}\n"), tmp_path / "o.ipynb"
    nbformat.write(build.read_source(path), target)
    banks("02_two/lesson.toml", "QUESTION", "another lesson's")
    assert build.is_current(target, build.read_source(path))
    banks(bank, "ANSWER", "what is right is not stored")
    assert build.is_current(target, build.read_source(path))
    banks(bank, "QUESTION", "another")
    assert not build.is_current(target, build.read_source(path))


def test_a_notebook_without_a_quiz_is_not_tied_to_any(build, source):
    assert "quiz_source" not in build.read_source(source(LESSON)).metadata


def test_a_change_of_text_alone_keeps_the_outputs(build, source, tmp_path, monkeypatch):
    target = tmp_path / "01_test.ipynb"
    build.build_one(source(LESSON), target, force=False, check=False)
    before = nbformat.read(target, as_version=4)
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("nothing had to be executed"))
    changed = LESSON.replace("# Text.", "# Better text.") + "\n# %% [markdown]\n# # The end\n"
    assert build.build_one(source(changed), target, force=False, check=False)
    after = nbformat.read(target, as_version=4)
    assert after.cells[0].source.endswith("Better text.") and after.cells[-1].source == "# The end"
    outputs = [[c.outputs for c in book.cells if c.cell_type == "code"] for book in (before, after)]
    assert outputs[0] == outputs[1] and outputs[0][1][0].text == "1\n"
    assert build.is_current(target, build.read_source(source(changed)))


@pytest.mark.parametrize("change", [("x = 1", "x = 2"), ('["nbval-ignore-output"]', '["skip"]')])
def test_a_change_of_code_or_tags_is_executed(build, source, tmp_path, change):
    target = tmp_path / "01_test.ipynb"
    build.build_one(source(LESSON), target, force=False, check=False)
    fresh = build.read_source(source(LESSON.replace(*change)))
    assert not build.keep_outputs(target, fresh)


def test_a_slug_names_a_lesson_and_its_exercise_or_one_of_the_two(build):
    def built(slug):
        return [str(target.relative_to(ROOT)) for _, target in build.targets([slug])]

    solution, lesson = "solutions/07_lenet/07_lenet.ipynb", "notebooks/07_lenet.ipynb"
    assert built("07_lenet") == [solution, lesson]
    assert built("lessons/07_lenet") == [lesson] and built("exercises/07_lenet") == [solution]
    with pytest.raises(SystemExit, match="no source called lessons/07_lenett"):
        built("lessons/07_lenett")


LESSONS = sorted(path.stem for path in ROOT.glob("sources/exercises/*.py"))


@pytest.mark.parametrize("slug", LESSONS)
def test_a_lesson_ends_with_what_its_exercise_really_asks(build, slug):
    """Nothing is promised by hand: link, minutes and titles are the exercise's own."""
    path = ROOT / f"sources/lessons/{slug}.py"
    text = path.read_text("utf-8")
    (after,) = re.findall(r"^# \*\*Exercise\*\* \{exercise\}\n(.*)", text, re.S | re.M)
    assert "exercise" not in after.partition("## Words of this lesson")[0]
    exercise = (ROOT / f"sources/exercises/{slug}.py").read_text("utf-8")
    titles = re.findall(r"^# ## Task \d+: (.+)$", exercise, re.M)
    built = "\n".join(cell.source for cell in build.read_source(path).cells)
    line = next(line for line in built.splitlines() if line.startswith("**Exercise** ["))
    assert f"](../exercises/{slug}/{slug}.ipynb), " in line and re.search(
        r", \d\d minutes\. ", line
    )
    assert titles and line.removesuffix(".").endswith(f"Its tasks: {'; '.join(titles)}")
    assert line.endswith((".", "?")) and not line.endswith("?.")
