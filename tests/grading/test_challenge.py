"""The challenge, end to end and sentence by sentence: honest entries in, cheats refused."""

import csv

import pytest
import torch
from torch import nn

from convnet_grader import leaderboard
from convnet_grader.leaderboard import Result, board, run_challenge
from course_utils import challenge, cli
from course_utils.challenge import Refused, Replay, Rules, draw_test, practise, read_entry
from course_utils.challenge.recording import Counter, record
from course_utils.challenge.scoring import prepared, score
from course_utils.inspection import summary

RULES = Rules(seconds=60, num_train=320, num_test=100)
SECRET = b"a secret of the teacher's"

LISTED = """
from torch import nn
from course_utils.training import TrainConfig

config = TrainConfig(epochs=2, lr=3e-3, optimizer="adamw")
print("an entry may print")

def build():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.SiLU(inplace=True), nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10),
    )
"""
FUNCTIONAL = """
from __future__ import annotations
import torch, math
import torch.nn.functional as F
from torch import nn
from course_utils.data import Augment

augment = Augment(crop_padding=2, flip=True)
batch_size = 32

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 5, padding=2))
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Parameter(torch.randn(8, 10) / math.sqrt(8))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        maps = F.max_pool2d(F.gelu(self.norm(self.conv(input))), 2)
        return torch.einsum("nchw,ck->nk", maps, self.head) / maps[0, 0].numel()

def build():
    return Net()
"""
READY_MADE = """
from course_utils import models
from course_utils.training import TrainConfig

config = TrainConfig(epochs=1, lr=0.1)

def build():
    return models.build("resnet_small", in_channels=3, num_classes=10)
"""
HIDDEN_SEED = """
import torch
from torch import nn
from course_utils.data import ShapesConfig, make_shapes

def build():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    drawn = make_shapes(100, ShapesConfig(), torch.Generator().manual_seed({seed}))
    for _ in range(50):
        logits = net(drawn.images.float() / 255)
        nn.functional.cross_entropy(logits, drawn.labels).backward()
    return net
"""
WIDE = """
import torch
import torch.nn.functional as F
from torch import nn

wide = nn.Conv2d(32, 32, 3, padding=1)

def large(x):
    for _ in range(4):
        x = F.conv2d(x, wide.weight, wide.bias, padding=1)
    return x

def build():
    net = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    net.extend([nn.Flatten(), nn.Linear(32, 10)])
    {hide}
    return net
"""
HOOK = WIDE.replace("{hide}", "net[1].register_forward_hook(lambda net, given, out: large(out))")


def entry(build, before="from torch import nn"):
    return f"{before}\ndef build():\n    return {build}\n"


def scored(source, rules=RULES):
    images, _ = draw_test("test", rules.num_test)
    return score(prepared(read_entry(source), rules), rules, images, "test")


# --- End to end --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def honest_and_cheats(bubblewrap, tmp_path_factory):
    """A challenge of three honest entries and two cheats, who know the secret; and its folders."""
    entries, out = tmp_path_factory.mktemp("entries"), tmp_path_factory.mktemp("out")
    seed = challenge.scoring.seed_of(f"{SECRET.hex()}|0")
    cheat = HIDDEN_SEED.replace("{seed}", str(seed))
    sources = {"listed": LISTED, "functional": FUNCTIONAL, "ready_made": READY_MADE}
    for name, source in (sources | {"=cheat_seed": cheat, "cheat_hook": HOOK}).items():
        (entries / f"{name}.py").write_text(source)
    return run_challenge(entries, out, SECRET, RULES, workers=2), entries, out


def test_honest_entries_are_on_the_board_and_cheats_are_refused(honest_and_cheats):
    results, _, out = honest_and_cheats
    refused = {each.who: each.refused for each in results if each.refused}
    assert refused.keys() == {"=cheat_seed", "cheat_hook"}
    assert "line 4 imports course_utils.data.ShapesConfig" in refused["=cheat_seed"]
    assert "over the budget of 15,000,000" in refused["cheat_hook"]
    for each in results:
        assert each.refused or (len(each.right) == 100 and each.share == 1 and each.multiply_adds)
    rows = list(csv.DictReader((out / "leaderboard.csv").read_text("utf-8").splitlines()))
    assert {row["who"] for row in rows[:3]} == {"listed", "functional", "ready_made"}
    assert [row["place"] for row in rows[3:]] == ["", ""]
    assert "refused: it needs" in (out / "leaderboard.html").read_text("utf-8")


def test_the_same_call_goes_on_with_what_is_missing(honest_and_cheats, monkeypatch):
    results, entries, out = honest_and_cheats
    monkeypatch.setattr(leaderboard, "Step", None)
    assert run_challenge(entries, out, SECRET, RULES) == results
    (entries / "new.py").write_text(LISTED)
    (new,) = (each for each in run_challenge(entries, out, SECRET, RULES) if each.who == "new")
    assert "makes the grader fail" in new.refused and not new.key
    (entries / "new.py").unlink()


def test_an_entry_that_never_ends_or_ends_python_stops_no_other(bubblewrap, tmp_path, monkeypatch):
    monkeypatch.setattr(leaderboard, "RECORDING", 12)
    entries = tmp_path / "entries"
    entries.mkdir()
    (entries / "endless.py").write_text("def build():\n    while True:\n        pass\n")
    kill = "import torch\ntorch.nn.functional.torch\n"
    (entries / "reaches.py").write_text(kill + "torch.sys.exit(3)\n")
    huge = "from torch import nn\nimport torch\ndef build():\n    return torch.ones(2**40)\n"
    (entries / "huge.py").write_text(huge)
    (entries / "nothing.py").write_bytes(b"\xff\xfe\x00")
    results = run_challenge(entries, tmp_path / "out", SECRET, RULES, workers=2)
    sentences = {each.who: each.refused for each in results}
    assert sentences["endless"] == "it took too much processor time"
    assert "line 3 reaches into sys" in sentences["reaches"]
    assert "build() stops with RuntimeError" in sentences["huge"]
    assert sentences["nothing"] == "the file is not in UTF-8"


def test_a_secret_that_can_be_guessed_and_a_folder_without_entries_are_refused(tmp_path):
    with pytest.raises(ValueError, match="fewer than eight bytes"):
        run_challenge(tmp_path, tmp_path / "out", b"1234", RULES, trusted=True)
    with pytest.raises(ValueError, match="there is no entry in"):
        run_challenge(tmp_path, tmp_path / "out", SECRET, RULES, trusted=True)


# --- Multiply-adds -----------------------------------------------------------------------------


def counted(model):
    replay, image = Replay(record(model, 4)), torch.zeros(1, 3, 32, 32)
    with Counter() as counter, torch.no_grad():
        replay.run("eval", image)
    return counter.total


def test_layers_count_as_in_a_summary_and_anything_else_by_its_numbers():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, groups=1), nn.Flatten(), nn.Linear(7200, 10))
    multiply_adds = summary(net, (3, 32, 32)).multiply_adds
    assert counted(net) == multiply_adds
    assert counted(net.insert(1, nn.ReLU())) == multiply_adds + 7200


HIDING = {
    "a hook": "net[1].register_forward_hook(lambda net, given, out: large(out))",
    "a hook before": "net[1].register_forward_pre_hook(lambda net, given: (large(*given),))",
    "a hook of all nets": "nn.modules.module.register_module_forward_hook(lambda net, given, out: "
    "large(out) if out.dim() == 4 and out.shape[1] == 32 and len(out[0, 0]) == 32 else None)",
    "a function": "old = net.forward; net.forward = lambda x: old(x + 0 * large(net[0](x)).mean())",
    "a functional call": "net.insert(1, wide); net.forward = lambda x: torch.func.functional_call("
    "nn.Sequential(net[0], wide, wide, wide, *net[2:]), {}, (x,))",
    "a parametrization": "deep = nn.Parameter(torch.randn(512, 512)); "
    "half = nn.Module(); half.forward = lambda w: w + (deep @ deep).mean(); "
    "nn.utils.parametrize.register_parametrization(net[0], 'weight', half)",
    "products in a loop": "net[1].forward = lambda x: [x := x * x for _ in range(500)][-1]",
    "another name": "net[1].forward = lambda x: [x := torch.outer(x.flatten(), x.flatten()[:600])"
    "[:, :1].view(x.shape) for _ in range(1)][-1]",
}


@pytest.fixture
def no_hooks_stay():
    """Remove the hooks of all nets afterwards: here an entry's code runs in the test's process."""
    yield
    nn.modules.module._global_forward_hooks.clear()


@pytest.mark.parametrize("hide", HIDING)
def test_work_is_counted_wherever_it_is_hidden(hide, no_hooks_stay):
    with pytest.raises(Refused, match=r"it needs [\d,]+ multiply-adds for an image"):
        scored(WIDE.replace("{hide}", HIDING[hide]))


def test_what_is_not_hidden_fits():
    assert scored(WIDE.replace("{hide}", "")).multiply_adds < 2_000_000


# --- What is refused ---------------------------------------------------------------------------

SQUARE = "nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))"
FORWARD = (
    "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.net = nn.Linear(3072, 10)\n"
    "    def forward(self, x):\n        y = self.net(x.flatten(1))\n        "
)
REFUSALS = {
    "from course_utils import data": "line 1 imports course_utils.data",
    "import course_utils.data as d": "line 1 imports course_utils.data",
    "import course_utils\ncourse_utils.data.load": "line 2 uses load",
    "import course_utils\ncourse_utils.data.make_shapes": "reaches into course_utils.data",
    "from course_utils.training import fit": "line 1 imports course_utils.training.fit",
    "import course_utils.training.loop": "line 1 imports course_utils.training.loop",
    "import os, socket": "line 1 imports os",
    "from urllib.request import urlopen": "line 1 imports urllib.request.urlopen",
    "from . import other": "line 1 imports .None.other",
    "from torch import *": r"line 1 imports torch.\*",
    "import torch\ntorch.sys.modules": "line 2 reaches into sys",
    "from course_utils.models import resnet\nresnet.torch.optim": "line 2 reaches into torch.optim",
    "import torch\ntorch.load('weights.pt')": "line 2 uses load",
    "open('weights')": "line 1 uses open",
    "exec('1')": "line 1 uses exec",
    "().__class__": "line 1 uses __class__",
    "x.backward()": "line 1 uses backward",
    "def build(:": "it is not valid Python",
    f"weights = '{'x' * 6000}'": "more than 6,000 bytes",
    "config = 3": r"it defines no build\(\)",
    "raise KeyError('oh')": "its code stops with KeyError: 'oh'",
    "build = 3": "build is not a function",
    "config = 3\ndef build(): pass": "config has the wrong type: int",
    "batch_size = 48\ndef build(): pass": "batch_size = 48 does not divide the 320",
    "def build(): return 1 / 0": r"build\(\) stops with ZeroDivisionError",
    "def build(): pass": r"build\(\) returns NoneType, not an nn.Module",
    entry("nn.Flatten()"): r"its output is \(64, 3072\), not 10 logits for each",
    entry("nn.Conv2d(1, 1, 1)"): "its forward pass stops",
    entry("nn.Sequential(nn.Flatten(), nn.Linear(3072, 1000), nn.Linear(1000, 10))"): "2,000,000",
    FORWARD + "return y if x.sum() > 0 else -y\nbuild = Net": "decisions that depend on the images",
    FORWARD + "return y.sort().values\nbuild = Net": "it runs sort, an operator that",
    FORWARD + "return y * float('nan')\nbuild = Net": "its training diverges",
    FORWARD + "return y\ndef build():\n    net = Net()\n    net.register_buffer('b', "
    "torch.randn(5000))\n    return net": "it brings 5,0.. fixed numbers along",
    FORWARD + f"return y + 0 * torch.tensor({[2] * 1500}).sum()\ndef build():\n    net = Net()\n"
    "    net.table = nn.ParameterList(torch.randn(50) for _ in range(60))\n"
    "    return net": "it brings [46],... fixed numbers along",
    entry("nn.Sequential(net, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))",
          "from torch import nn\nnet = nn.BatchNorm2d(3)\nnet.train = lambda mode=True: net"):
    "it changes its own numbers while it classifies",
    "from course_utils.training import TrainConfig\nconfig = TrainConfig(lr=1e30)\n"
    + entry(SQUARE): "its training diverges",
}  # fmt: skip


@pytest.mark.parametrize("source", REFUSALS)
def test_a_refusal_says_why(source):
    with pytest.raises(Refused, match=REFUSALS[source]):
        scored(source)


def test_a_recording_can_call_nothing_but_operators_that_are_counted():
    recording = prepared(read_entry(entry(SQUARE)), RULES)
    images, _ = draw_test("test", 100)
    calls = ("aten.from_file.default", ["/etc/passwd"], {}), ("os.system", ["true"], {})
    for call, words in zip(calls, ("it runs from_file", "it calls os.system"), strict=True):
        with pytest.raises(Refused, match=words):
            changed = recording | {"eval": [("f", *call), *recording["eval"]]}
            score(changed, RULES, images, "test")


# --- Weights from elsewhere, and other images --------------------------------------------------


def test_weights_that_were_trained_elsewhere_are_worth_nothing():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    images = torch.randn(200, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    labels = (images.flatten(1) @ net[1].weight.T + net[1].bias).argmax(dim=1)  # all right, so far
    replay = Replay(record(net, 4)).eval()
    assert (replay(images).argmax(dim=1) == labels).all()
    replay.shuffle(torch.Generator().manual_seed(2))
    assert (replay(images).argmax(dim=1) == labels).double().mean() < 0.5
    sorted_weights = [
        each.detach().flatten().sort().values for each in (replay.t0.weight, net[1].weight)
    ]
    assert torch.equal(*sorted_weights)  # initial weights, as good as before


def test_an_image_is_classified_by_itself():
    centred = (
        FORWARD.replace("x.flatten(1)", "(x - x.mean(0)).flatten(1)") + "return y\nbuild = Net"
    )
    net = Replay(prepared(read_entry(centred), RULES)).eval()
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    assert torch.equal(net(images)[order], net(images[order]))
    assert torch.equal(net(images[:1]), net(images)[:1])


def test_who_does_not_know_the_secret_cannot_draw_the_images():
    one, same, other = (draw_test(secret, 200)[0] for secret in ("a", "a", "b"))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.equal(one[:100], one[100:])


def test_training_stops_when_its_time_is_over():
    answers = scored(LISTED, Rules(seconds=1e-6, num_train=320, num_test=100))
    assert answers.share == pytest.approx(1 / 10)  # one of ten steps


# --- At home, and the board --------------------------------------------------------------------


def test_at_home_an_entry_is_scored_on_practice_images(tmp_path, capsys):
    file = tmp_path / "my_entry.py"
    file.write_text(LISTED)
    accuracy = practise(file, RULES)
    printed = capsys.readouterr().out
    assert f"{accuracy:.1%} ± " in printed and "of 100 practice images" in printed
    assert "multiply-adds of 15,000,000 allowed" in printed
    with pytest.raises(ValueError, match="there is no file"):
        practise(tmp_path / "none.py")


def test_both_commands_pass_their_options_on(tmp_path, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(challenge, "practise", lambda *given: seen.append(given))
    assert cli.main(["challenge", "my_entry.py", "--seconds", "5"]) == 0
    assert seen[0][1] == Rules(seconds=5)
    monkeypatch.setattr(
        leaderboard, "run_challenge", lambda *given, **named: seen.append(given) or []
    )
    assert cli.main(["leaderboard", "entries", "--out", str(tmp_path), "--seconds", "7"]) == 0
    assert seen[1][2] == (tmp_path / "secret").read_bytes() and seen[1][3] == Rules(seconds=7)
    assert cli.main(["leaderboard", "entries", "--out", "o", "--workers", "0"]) == 1
    assert "--workers 0: at least 1" in capsys.readouterr().err


def test_nets_that_differ_by_chance_share_a_place():
    right = {"a": 90, "b": 88, "c": 60, "d": 60}
    results = [
        Result(who, who, "", "1" * num + "0" * (100 - num), share=1) for who, num in right.items()
    ]
    results[1] = Result("b", "b", "", "0" * 12 + "1" * 88, share=0.5)
    rows = list(board([*reversed(results), Result("e", "e", "it is too large")]))
    assert [(row["place"], row["who"]) for row in rows] == [
        ("1=", "a"), ("1=", "b"), ("3=", "d"), ("3=", "c"), ("", "e")
    ]  # fmt: skip
    assert rows[0]["standard error"] == "3.0%" and rows[1]["remark"].startswith("its time was over")
    assert rows[4]["remark"] == "refused: it is too large"
