"""The ledger is whole, its arithmetic is right, and a malformed one is refused by name."""

import tomllib
from pathlib import Path

import pytest
import torch
from ledger_computations import computation, computed

from course_utils import arithmetic, facts
from course_utils.facts import ledger, parse

LESSONS = [
    "00_start_here",
    "01_image_tensors",
    "02_why_not_mlps",
    "03_convolution",
    "04_stride_padding_pooling",
    "05_channels_and_parameters",
    "06_equivariance_and_fourier",
    "07_lenet",
    "08_alexnet",
    "09_vgg",
    "10_googlenet",
    "11_normalization",
    "12_going_deeper",
    "13_resnet",
    "14_densenet",
    "15_showdown",
]

FACTS = list(ledger().facts.values())
COUNTED = ("parameters", "multiply_adds", "expression")
"""Kinds of computations that end in one number; the others end in a whole map."""


# --- The course's own ledger -------------------------------------------------------------------


@pytest.mark.parametrize("fact", computed("expression"))
def test_expressions_give_what_the_ledger_says(fact):
    value = eval(computation(fact).expression, vars(arithmetic).copy())
    assert value == pytest.approx(fact.ours, rel=1e-12)


@pytest.mark.parametrize("fact", computed("cross_correlation"))
def test_worked_examples_are_recomputed(fact):
    compute = computation(fact)
    image, kernel = (
        torch.tensor(rows, dtype=torch.float64)[None, None]
        for rows in (compute.input, compute.filter)
    )
    out = torch.nn.functional.conv2d(image, kernel, stride=compute.s, padding=compute.p)
    assert out[0, 0].tolist() == [list(row) for row in fact.value]


def test_the_slides_padded_example_follows_from_no_turn_of_their_filter():
    printed = torch.tensor(facts.get("example.padded_as_printed").value)
    for key in ("example.padded", "example.padded_other_filter"):
        compute = computation(facts.get(key))
        picture = torch.tensor(compute.input)[None, None]
        for turns in range(4):
            turned = torch.tensor(compute.filter).rot90(turns)
            for kernel in (turned, turned.flip(0)):
                out = torch.nn.functional.conv2d(picture, kernel[None, None], stride=2, padding=1)
                assert not torch.equal(out[0, 0], printed)


def test_the_slides_padded_example_is_the_corner_of_one_at_stride_1():
    compute = computation(facts.get("example.padded_other_filter"))
    picture, kernel = (torch.tensor(x)[None, None] for x in (compute.input, compute.filter))
    out = torch.nn.functional.conv2d(picture, kernel, stride=1, padding=1)  # (1, 1, 5, 5)
    printed = torch.tensor(facts.get("example.padded_as_printed").value)
    assert torch.equal(out[0, 0, :3, :3], printed)


@pytest.mark.parametrize("fact", [pytest.param(fact, id=fact.key) for fact in FACTS])
def test_a_figure_that_differs_from_its_source_says_why(fact):
    is_number = isinstance(fact.value, int | float)
    assert (fact.ours is not None) == (fact.compute.get("kind", "none") in COUNTED)
    assert is_number or fact.ours is None or fact.why
    if is_number and fact.ours is not None:
        digits = len(repr(fact.value).partition(".")[2])
        assert round(fact.ours / fact.scale, digits) == fact.value or fact.why


def test_every_trap_of_the_syllabus_is_there_with_both_claims():
    traps = ledger().traps.values()
    assert len(traps) == 34
    for trap in traps:
        assert trap.claim != trap.right
        assert trap.lessons
        assert set(trap.lessons) <= set(LESSONS)


def test_the_lessons_share_out_the_traps():
    with_traps = {lesson for trap in ledger().traps.values() for lesson in trap.lessons}
    assert {"08_alexnet", "09_vgg", "10_googlenet", "11_normalization", "13_resnet"} <= with_traps


def test_the_ledger_has_no_other_tables():
    text = Path(facts.__file__).with_suffix(".toml").read_text("utf-8")
    assert set(tomllib.loads(text)) == {"papers", "facts", "traps"}


@pytest.mark.parametrize("fact", [pytest.param(fact, id=fact.key) for fact in FACTS])
def test_what_a_fact_says_of_itself_fits_together(fact):
    assert "." in fact.key
    assert fact.checked == (fact.how != "from memory")
    assert fact.unit or isinstance(fact.value, str | tuple), "a number needs a unit"
    assert not fact.paper or facts.paper(fact.paper)


@pytest.mark.parametrize("trap", [pytest.param(t, id=t.key) for t in ledger().traps.values()])
def test_a_trap_points_to_what_is_there(trap):
    assert set(trap.papers) <= set(ledger().papers)
    assert set(trap.facts) <= set(ledger().facts)


def test_every_paper_can_be_found_again():
    printed_only = {
        "rosenblatt1962",
        "lecun1989strategies",
        "krizhevsky2009",
        "nair2010",
        "krizhevsky2012",
        "srivastava2014",
        "glorot2010",
    }
    papers = ledger().papers.items()
    assert {key for key, paper in papers if not paper.doi + paper.arxiv} == printed_only


def test_figures_that_lessons_lean_on():
    assert facts.get("vgg16.parameters").ours == 138_357_544
    assert facts.get("vgg19.parameters").ours == 143_667_240
    assert facts.get("googlenet.parameters").value == 6_998_552
    assert facts.get("alexnet.parameters").ours == 60_965_224
    assert facts.get("lenet5.parameters").value == 61_706
    assert facts.get("plain34.top1").value > facts.get("plain18.top1").value
    assert facts.get("resnet34.top1").value < facts.get("resnet18.top1").value


# --- How facts read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("vgg16.top5", "8.8%"),
        ("resnet50.multiply_adds", "3.8 x 10^9 multiply-adds"),
        ("ilsvrc.train_images", "1,281,167 images"),
        ("neocognitron.year", "1980"),
        ("example.plain", "12 12 17 / 10 17 19 / 9 6 14"),
        ("vgg.pooling", "2x2 windows, stride 2"),
    ],
)
def test_value_and_unit_in_words(key, text):
    assert facts.get(key).text == text


def test_a_fact_names_its_source_and_its_doubt():
    assert str(facts.get("vgg16.top5")) == "8.8% (Simonyan & Zisserman 2015, Table 3)"
    unsure = FACT.replace("computed", "from memory").replace("checked = true", "checked = false")
    assert str(parse(unsure).facts["net.size"]) == "3 px (x; not checked in the source)"
    assert facts.get("alexnet.parameters_one_tower").source == "torchvision.models.alexnet"


def test_citations():
    assert facts.cite("he2016") == (
        "Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun. Deep Residual Learning for Image "
        "Recognition. CVPR, 770-778, 2016. arXiv:1512.03385. doi:10.1109/CVPR.2016.90."
    )
    assert facts.paper("bay2006").short == "Bay et al. 2006"
    assert facts.paper("fukushima1980").short == "Fukushima 1980"
    assert "Optimization? NeurIPS" in facts.cite("santurkar2018")


def test_a_table_sets_the_paper_beside_ours():
    rows = facts.table("vgg1?.parameters", "googlenet.fewer_than_alexnet").to_dicts()
    assert [row["we compute"] for row in rows][:2] == [132_863_336, 133_047_848]
    assert rows[-1]["source says"] == "12 times"
    assert rows[-1]["we compute"] == 8.71
    assert "6,998,552" in rows[-1]["remark"]
    assert len(facts.table()) == len(FACTS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: facts.get("vgg16.parametres"), "'vgg16.parametres'.*did you mean 'vgg16.param"),
        (lambda: facts.table("lenet9.*"), "no fact 'lenet9"),
        (lambda: facts.table("nothing.like.it"), "no fact 'nothing.like.it'"),
        (lambda: facts.cite("he2061"), "no paper 'he2061'.*'he2016'"),
        (lambda: facts.trap("vgg_pools"), "no trap 'vgg_pools'.*'vgg_pools_3x3'"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- Malformed ledgers -------------------------------------------------------------------------

PAPER = '[papers.a2020]\nauthors = ["A B"]\ntitle = "T"\nvenue = "V"\nyear = 2020\n'
FACT = (
    '[facts.net.size]\nwhat = "w"\nvalue = 3\nunit = "px"\nchecked = true\n'
    'how = "computed"\nwhere = "x"\n'
)
TRAP = '[traps.t]\nclaim = "c"\nright = "r"\nlessons = ["01_image_tensors"]\nchecked = true\n'


def test_the_smallest_ledger():
    read = parse(PAPER + FACT + 'paper = "a2020"\n' + TRAP + 'facts = ["net.size"]\n')
    assert list(read.facts) == ["net.size"]
    assert read.traps["t"].facts == ("net.size",)
    assert parse("").facts == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[facts", "Expected .*end of a table declaration"),  # tomllib's own words
        (PAPER.replace("title", "titel"), "a2020: Object contains unknown field `titel`"),
        (PAPER.replace('venue = "V"\n', ""), "a2020: Object missing required field `venue`"),
        (PAPER.replace("2020\n", '"2020"\n'), r"a2020: Expected `int`, got `str` - at `\$\.year`"),
        ("papers.a2020 = 1", "a2020: Expected `object`, got `int`"),
        (FACT.replace("value = 3\n", ""), r"net\.size: Object missing required field `value`"),
        (FACT.replace("value = 3", "value = true"), r"net\.size: Expected .*, got `bool`"),
        (FACT.replace("checked = true", "checked = 1"), r"net\.size: Expected `bool`, got `int`"),
        (FACT.replace("computed", "guessed"), r"net\.size: Invalid enum value 'guessed'.*\.how"),
        (FACT + "compute = 3", r"net\.size: Expected `object`, got `int` - at `\$\.compute`"),
        (TRAP.replace('["01_image_tensors"]', '"01"'), r"t: Expected `array`.* at `\$\.lessons`"),
    ],
)
def test_a_malformed_entry_is_refused_by_its_key(text, words):
    with pytest.raises(ValueError, match=words) as failure:
        parse(text)
    assert str(failure.value).startswith("facts.toml: ")


@pytest.mark.parametrize(
    ("compute", "error", "words"),
    [
        ('{ kind = "guess" }', AssertionError, "guess is no kind"),
        ('{ model = "vgg16" }', TypeError, "'kind'"),
        ('{ kind = "multiply_adds", model = "vgg16" }', AssertionError, r"needs \['input'\]"),
    ],
)
def test_a_malformed_computation_is_refused(compute, error, words):
    fact = parse(FACT + f"compute = {compute}").facts["net.size"]
    with pytest.raises(error, match=words):
        computation(fact)
