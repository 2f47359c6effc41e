"""What lessons claim: in whole sentences, and marked where a claim is about a trained model.

The quick profile, in which every lesson is run and compared, asserts no claim that is marked. One
that lacks its mark may hold there by luck, so it is found by reading the source.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(ROOT.glob("sources/lessons/*.py"))

EXACT = {
    "Training found the Sobel filter.": "nine numbers, by a loop that is the same in every profile",
    "Ten of these steps are ten of PyTorch's.": "two numbers, moved by a formula",
    "A plain net of 56 layers can compute exactly what the trained plain-20 does.": "any plain-20",
    "The logits are the same.": "a folded net computes the same, whatever its weights",
    "ResNet-56 has exactly as many parameters as plain-56.": "training changes no count",
}
"""Unmarked claims about something trained, which hold however long that was: sentence -> why."""


class Claim(NamedTuple):
    """A call of `expect`: its sentence, whether it is marked, whether it is about training."""

    sentence: str
    marked: bool
    trained: bool


class Reader(ast.NodeVisitor):
    """Reads the code of a lesson from top to bottom, and follows what training touches.

    A name is trained if it is bound to something trained, or to what a function returns that
    trains; if it was given to such a function; if an optimizer that was made of it steps; or if
    something trained is put into it. A name that is bound to anything else is as new.
    """

    def __init__(self) -> None:
        self.trained: set[str] = set()
        self.training = {"fit"}  # functions that train
        self.looks_up: dict[str, set[str]] = {}  # function of the lesson -> global names
        self.made_of: dict[str, set[str]] = {}  # optimizer -> names
        self.claims: dict[ast.Call, Claim] = {}

    def trains(self, node: ast.AST) -> bool:
        """Say whether code trains, lets an optimizer step, or takes a net that was trained."""
        called = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
        attributes = {func.attr for func in called if isinstance(func, ast.Attribute)}
        steps = bool(attributes & {"step", "pretrained"})
        return steps or any(isinstance(f, ast.Name) and f.id in self.training for f in called)

    def is_trained(self, *nodes: ast.AST) -> bool:
        """Say whether anything trained is in expressions, or in what their functions look up."""
        names = set().union(*map(free_names, nodes))
        while more := set().union(*(self.looks_up.get(name, set()) for name in names)) - names:
            names |= more
        return bool(names & self.trained) or any(map(self.trains, nodes))

    def bind(self, target: ast.AST, value: ast.AST) -> None:
        """Bind the names on the left side of an assignment to its right side."""
        trained = self.is_trained(value)
        names = [node for node in ast.walk(target) if isinstance(node, ast.Name)]
        self.trained -= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        self.trained |= {name.id for name in names if trained}

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.bind(target, node.value)
        if "optim." in ast.unparse(node.value):
            self.made_of[ast.unparse(node.targets[0])] = free_names(*arguments(node.value))

    def visit_For(self, node: ast.For) -> None:
        for _ in range(2):  # what the end of the body trains, its beginning meets the next time
            self.bind(node.target, node.iter)
            for statement in node.body:
                self.visit(statement)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self.bind(node.optional_vars, node.context_expr)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        self.looks_up[node.name] = free_names(*node.body) - arguments
        if self.trains(node):
            self.training.add(node.name)
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "expect":
                self.visit(call)

    def visit_Expr(self, node: ast.Expr) -> None:
        self.visit(node.value)
        call = node.value  # for its effect, as its value is not kept
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner = ast.unparse(call.func.value)
            if call.func.attr == "step":
                self.trained |= self.made_of.get(owner, set())
            elif self.is_trained(*arguments(call)):
                self.trained.add(owner)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if ast.unparse(node.func) in self.training:
            self.trained |= {each.id for each in arguments(node) if isinstance(each, ast.Name)}
        elif ast.unparse(node.func) == "expect":
            claim, sentence, *_ = node.args
            marked = any(keyword.arg == "trained" for keyword in node.keywords)
            self.claims[node] = Claim(text_of(sentence), marked, self.is_trained(claim))


def arguments(call: ast.Call) -> list[ast.expr]:
    """Return what a call is given, by place or by name."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def free_names(*nodes: ast.AST) -> set[str]:
    """Return the names that code looks up and does not bind itself."""
    names = [node for tree in nodes for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    bound |= {a.arg for tree in nodes for a in ast.walk(tree) if isinstance(a, ast.arg)}
    return {name.id for name in names} - bound


def text_of(sentence: ast.expr) -> str:
    """Return a sentence, with … for what an f-string fills in."""
    if isinstance(sentence, ast.JoinedStr):
        return "".join(map(text_of, sentence.values))
    return str(sentence.value) if isinstance(sentence, ast.Constant) else "…"


def claims_of(code: str) -> list[Claim]:
    """Return the claims in the code of a lesson."""
    reader = Reader()
    reader.visit(ast.parse(code))
    return list(reader.claims.values())


def code_of(lesson: Path, *, controls: bool = False) -> str:
    """Return all the code of a lesson's source, or of its controls."""
    cells = jupytext.read(lesson, fmt="py:percent").cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    return "\n\n".join(cell.source for cell in code if ("control" in cell.metadata) is controls)


def controlled(lesson: Path) -> set[str]:
    """Return the sentences that the controls of a lesson repeat."""
    calls = [n for n in ast.walk(ast.parse(code_of(lesson, controls=True))) if is_refuted(n)]
    return {text_of(call.args[1]) for call in calls if isinstance(call, ast.Call)}


def is_refuted(node: ast.AST) -> bool:
    """Return whether this is a call of `refute`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "refute"


@pytest.fixture(scope="module", params=LESSONS, ids=lambda lesson: lesson.stem)
def claims(request) -> list[Claim]:
    return claims_of(code_of(request.param))


def test_a_claim_about_a_trained_model_is_marked_and_no_other(claims):
    wrong = [c.sentence for c in claims if c.marked != c.trained and c.sentence not in EXACT]
    assert wrong == [], "say trained=True, or do not"


def test_claims_are_whole_sentences(claims):
    sentences = [claim.sentence for claim in claims]
    assert sentences, "a lesson that claims nothing, or calls expect by another name"
    whole = r"[A-Z0-9…].*\w.* .*[.…]"
    assert [text for text in sentences if not re.fullmatch(whole, text)] == []


def test_each_exact_claim_about_something_trained_is_still_made():
    made = {claim for lesson in LESSONS for claim in claims_of(code_of(lesson))}
    assert {sentence for sentence, marked, trained in made if trained and not marked} == set(EXACT)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_each_claim_about_a_trained_model_has_a_control_and_no_other_has(lesson):
    marked = {claim.sentence for claim in claims_of(code_of(lesson)) if claim.marked}
    assert controlled(lesson) == marked


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_each_claim_about_a_trained_model_is_on_the_page(lesson):
    page = (ROOT / "docs/claims.md").read_text("utf-8")
    marked = [claim.sentence for claim in claims_of(code_of(lesson)) if claim.marked]
    told = [max(sentence.split("…"), key=len).strip() for sentence in marked]
    assert [text for text in told if text not in page] == [], "run build.py --control --seeds 1 2"


TRAINED = {
    "history": "history = fit(model, loaders, config)\nCLAIM(history.epochs[-1].loss < 1)",
    "model": "fit(model, loaders, config)\naccuracy = evaluate(model, test)\nCLAIM(accuracy > 0.9)",
    "function": "def train():\n    return fit(net, data)\n\nnet, _ = train()\nCLAIM(net(x) > 0)",
    "several": "nets = [fit(net, data) for net in 'ab']\nfor net in nets:\n    CLAIM(net(x) > 0)",
    "by hand": "optimizer = torch.optim.SGD(net.parameters())\noptimizer.step()\nCLAIM(net(x) > 0)",
    "copied": "fit(one, loaders)\ntwo.load_state_dict(one.state_dict())\nCLAIM(two(x) > 0)",
    "kept": "seen = []\nseen.append(fit(build(), loaders))\nCLAIM(seen[0] > 0)",
    "stored": "scores['a'] = fit(build(), loaders)\nCLAIM(min(scores.values()) > 0)",
    "looked up": "fit(net, loaders)\ndef f(x):\n    return net(x)\n\nCLAIM(f(1) > 0)",
    "in a function": "fit(net, loaders)\ndef f(x):\n    CLAIM(net(x) > 0)",
    "next round": "for i in range(9):\n    CLAIM(net(x) > 0)\n    fit(net, loaders)",
}
FRESH = {
    "before": "CLAIM(net(x) > 0)\nfit(net, loaders)",
    "another": "fit(net, loaders)\nCLAIM(fresh(x) > 0)",
    "bound anew": "net = fit(build(), loaders)\nnet = build()\nCLAIM(net(x) > 0)",
    "same name inside": "name = fit(net, loaders)\nCLAIM(all(name for name in names))",
    "recorded": "fit(net, loaders)\nrun = records.load('plain20')\nCLAIM(run.accuracy > 0)",
}


@pytest.mark.parametrize("code", TRAINED.values(), ids=TRAINED)
def test_what_is_trained_is_seen(code):
    [claim] = claims_of(re.sub(r"CLAIM\((.*)\)", r'expect(\1, "It is so.")', code))
    assert claim == Claim("It is so.", marked=False, trained=True)


@pytest.mark.parametrize("code", FRESH.values(), ids=FRESH)
def test_what_is_not_trained_is_not_seen_as_trained(code):
    [claim] = claims_of(re.sub(r"CLAIM\((.*)\)", r'expect(\1, "It is so.")', code))
    assert claim == Claim("It is so.", marked=False, trained=False)
