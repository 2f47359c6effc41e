import dataclasses
import random

import numpy as np
import pytest
import torch

from course_utils import runtime


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_seed_everything_repeats_every_generator():
    first_generator = runtime.seed_everything(7)
    first = draws(), float(torch.rand((), generator=first_generator))
    second_generator = runtime.seed_everything(7)
    second = draws(), float(torch.rand((), generator=second_generator))
    runtime.seed_everything(8)
    assert first == second
    assert draws() != first[0]


def test_the_offset_moves_every_seed(monkeypatch):
    runtime.seed_everything(5)
    five = draws()
    monkeypatch.setenv("COURSE_SEED_OFFSET", "2")
    generator = runtime.seed_everything(3)
    assert draws() == five and generator.initial_seed() == 5


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed {seed} is out of range"):
        runtime.seed_everything(seed)


@pytest.mark.parametrize("seed", [1.5, "7", None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="is not a whole number: give an integer"):
        runtime.seed_everything(seed)
    assert runtime.seed_everything(np.int8(7)).initial_seed() == 7


@pytest.mark.parametrize("cuda, mps, expected", [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_choose_device_prefers_cuda_then_mps(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert runtime.choose_device().type == expected


@pytest.mark.parametrize("kind, expected", [("cpu", "laptop"), ("cuda", "full"), ("mps", "full")])
def test_the_default_profile_follows_the_device(monkeypatch, kind, expected):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    monkeypatch.setattr(runtime, "choose_device", lambda: torch.device(kind))
    assert runtime.profile_name() == expected


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "huge")
    with pytest.raises(ValueError, match="COURSE_PROFILE = 'huge' is unknown: choose from quick"):
        runtime.profile()
    with pytest.raises(ValueError, match="name = 'huge' is unknown: choose from quick, laptop"):
        runtime.profile(name="huge")


@pytest.mark.parametrize("name", runtime.PROFILE_NAMES)
def test_every_table_of_profiles_makes_a_profile(monkeypatch, name):
    monkeypatch.setenv("COURSE_PROFILE", name)
    tables = runtime._profile_table()
    lessons = {slug for table in tables.values() for slug, v in table.items() if type(v) is dict}
    assert set(tables) == set(runtime.PROFILE_NAMES)
    for lesson in [None, *lessons]:
        settings = runtime.profile(lesson)
        assert settings.name == name
        assert settings.epochs >= 1 and settings.batch_size >= 2 and settings.lr > 0


def test_a_lesson_changes_only_its_own_settings(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    assert runtime.profile("00_start_here").epochs == 3
    assert runtime.profile("00_start_here").data == runtime.profile().data
    assert runtime.profile().epochs == 8


def test_a_profile_says_how_data_is_loaded(monkeypatch):
    few = runtime.profile("07_lenet", name="quick")
    assert few.limit and few.loading == {"batch_size": few.batch_size, "limit": few.limit}
    all_of_it = dataclasses.replace(few, limit=0)
    assert all_of_it.loading == {"batch_size": few.batch_size, "limit": None}


@pytest.mark.parametrize("trained", [False, True])
def test_expect_fails_on_a_false_claim(trained, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    runtime.expect(True, "Two is even.", trained=trained)
    assert capsys.readouterr().out == "✓ Two is even.\n"
    with pytest.raises(AssertionError, match=r"claims this, but here it .* hold: Three is even\.$"):
        runtime.expect(False, "Three is even.", trained=trained)


def test_the_quick_profile_asserts_only_what_needs_no_training(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    runtime.expect(False, "The net is good.", trained=True)
    assert capsys.readouterr().out == "not checked in the quick profile: The net is good.\n"
    with pytest.raises(AssertionError):
        runtime.expect(False, "One is two.")
