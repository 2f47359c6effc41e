"""`make test` runs all its parts, whatever fails, and says at its end how each of them ended."""

import sys

import pytest
from scripts import load_script


@pytest.fixture
def tool(monkeypatch):
    """tools/check.py, whose checks only print their words and end with the given status."""
    tool = load_script("tools/check.py")

    def check(status, *words):
        code = "import sys; print(*sys.argv[2:]); sys.exit(int(sys.argv[1]))"
        return tool.Check((sys.executable, "-c", code, str(status), *words))

    monkeypatch.setattr(tool, "LINT", {"style": check(0, "tidy"), "types": check(2, "untyped")})
    monkeypatch.setattr(tool, "BUILT", {"built": check(0, "fresh")})
    monkeypatch.setattr(tool, "NBVAL", check(1, "differs"))
    monkeypatch.setattr(tool, "tests", lambda words: check(0, "tested", *words))
    monkeypatch.setattr(tool, "FETCH_CHROMIUM", check(1, "fetched"))
    return tool


def test_a_part_that_fails_hides_no_other(tool, capfd):
    assert tool.main(["test", "-k", "lenet or vgg"]) == 1
    printed, _, ends = capfd.readouterr().out.rpartition("---\n")
    said = [line for line in printed.splitlines() if not line.startswith("---")]
    assert said == ["fetched", "tidy", "untyped", "fresh", "differs", "tested -k lenet or vgg"]
    assert [line.split()[:2] for line in ends.splitlines()] == [
        ["style", "ok"],
        ["types", "FAILED"],
        ["built", "ok"],
        ["nbval", "FAILED"],
        ["tests", "ok"],
    ]


def test_the_status_is_0_where_all_went_well(tool, monkeypatch, capfd):
    del tool.LINT["types"]
    assert tool.main(["lint"]) == 0
    assert capfd.readouterr().out.splitlines()[:2] == ["--- style", "tidy"]


@pytest.mark.parametrize("words", [["--help"], ["everything"], []])
def test_a_word_that_is_no_check_runs_nothing(tool, words, capfd):
    with pytest.raises(SystemExit):
        tool.main(words)
    assert "---" not in capfd.readouterr().out
