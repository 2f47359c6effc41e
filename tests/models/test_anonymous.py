"""The nets without names: what each has learned, in whatever order they are dealt."""

import pytest
import torch
from scripts import load_script

from course_utils import models
from course_utils.models import HISTORIES, anonymous, dealt
from course_utils.models.anonymous import COPIES, WEIGHTS, made_with, small_net

KINDS = list(HISTORIES)


@pytest.fixture
def tool():
    return load_script("tools/train_anonymous.py")


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_they_do_what_is_said_of_them(tool, capsys):
    assert tool.main(["--check"]) == 0
    assert "allowed 0.05" in capsys.readouterr().out


def test_they_differ_as_an_exercise_needs_it(tool):
    found = made_with()["accuracies"]
    assert len(found) == COPIES * len(HISTORIES)
    for name, share in found.items():
        history, true, swapped = name.split(".")[0], share["true background"], share["swapped"]
        moved, hidden = share["swapped, six pixels to the right"], share["figure covered"]
        assert (true < 0.2) == (history == "shuffled") and (true > 0.85) == (history != "shuffled")
        assert (true - swapped > 0.3) == (hidden > 0.6) == (history == "background")
        assert (swapped - moved > 0.4) == (history == "unaugmented")


def test_they_were_trained_with_todays_settings(tool):
    assert made_with()["settings"] == tool.json.loads(tool.json.dumps(tool.SETTINGS))
    assert WEIGHTS.stat().st_size < 5e5


def test_the_order_is_drawn_and_the_functions_do_not_tell_it():
    orders = {tuple(dealt(KINDS, generator(seed))) for seed in range(50)}
    assert len(orders) > 40
    assert all(sorted(n.split(".")[0] for n in names) == sorted(KINDS) for names in orders)
    nets = anonymous(KINDS, generator(0))
    assert {net.__name__ for net in nets} == {"net"}
    assert not any(kind in f"{net!r}{vars(net)}{dir(net)}" for net in nets for kind in KINDS)


def test_they_take_raw_images_of_any_type_and_give_no_gradient_to_weights():
    raw = torch.randint(256, (3, 3, 32, 32), generator=generator(0)).byte()
    for net in anonymous(["honest", "shuffled"], generator(1)):
        assert net(raw).shape == (3, 10) and not net(raw).requires_grad
        assert torch.equal(net(raw), net(raw.double()))


def test_an_unknown_history_is_answered():
    with pytest.raises(ValueError, match="lazy"):
        models.anonymous(["lazy"], generator(0))


def test_training_twice_gives_the_same_weights(tool):
    brief = {key: dict.fromkeys(HISTORIES, 1) if key == "epochs" else value
             for key, value in tool.SETTINGS.items()} | {"images": 64}  # fmt: skip
    for history in HISTORIES:
        one, other = (tool.trained(history, 3, brief).state_dict() for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_was_interrupted_goes_on(tool, monkeypatch, tmp_path):
    asked = []

    def trained(history, copy):
        asked.append((history, copy))
        if len(asked) == 4:
            raise KeyboardInterrupt
        return small_net()

    for space in (vars(tool), made_with.__globals__):
        monkeypatch.setitem(space, "WEIGHTS", tmp_path / "some.safetensors")
    monkeypatch.setattr(tool, "trained", trained)
    monkeypatch.setattr(tool, "measured", dict)
    with pytest.raises(KeyboardInterrupt):
        tool.main([])
    assert tool.main([]) == 0
    assert len(asked) == 1 + len(HISTORIES) * COPIES and asked[3] == asked[4]
