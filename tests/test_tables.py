"""Tables as text, HTML and dictionaries."""

import pytest

from course_utils.tables import Table

SMALL = Table(("layer", "k", "params"), (("conv1", 3, 1792), ("pool <2>", None, 0)), "A net")


def test_text_aligns_numbers_right_and_words_left():
    assert str(SMALL).splitlines() == [
        "A net",
        "layer     k  params",
        "--------  -  ------",
        "conv1     3   1,792",
        "pool <2>          0",
    ]


def test_html_escapes_and_aligns():
    html = SMALL._repr_html_()
    assert html.count("<tr>") == 3
    assert "pool &lt;2&gt;" in html
    assert '<td style="text-align:right">1,792</td>' in html
    assert "<caption>A net</caption>" in html


def test_dictionaries_keep_plain_values():
    assert list(SMALL) == SMALL.to_dicts()
    assert SMALL.to_dicts()[1] == {"layer": "pool <2>", "k": None, "params": 0}


def test_an_empty_table_still_has_a_heading():
    assert str(Table(("a", "b"), ())) == "a  b\n-  -"
    assert "<th" in Table(("a",), ())._repr_html_()


def test_a_ragged_row_is_refused():
    with pytest.raises(ValueError, match="does not fit the 2 columns"):
        Table(("a", "b"), ((1,),))
