"""One learner and one quiz: what they answered, and what the page may know.

`QuizState.view` is all that a browser gets. It holds no answer until the learner has found it or
asked for it.
"""

from collections import Counter
from typing import Any

from msgspec.structs import replace

from course_utils.quiz import memory
from course_utils.quiz.bank import Bank
from course_utils.quiz.marking import NoAnswer, Verdict, answer_in_words, explain, mark
from course_utils.quiz.memory import Entry
from course_utils.quiz.render import anchor, how_to_answer, markup, phrase
from course_utils.quiz.variants import SEED, Question, pose

__all__ = ["QuizState"]

TRIES_BEFORE_ANSWER = 2


class QuizState:
    """The state of a quiz that a learner works on."""

    def __init__(self, bank: Bank) -> None:
        self.bank, self.note = bank, ""
        self.entries = {item.id: Entry() for item in bank.items}
        self._forms: dict[str, str] = {}  # item -> why the input is not an answer

    def recall(self) -> None:
        """Load earlier answers, as far as the bank still has these items."""
        found, self.note = memory.recall(self.bank.name)
        for item_id in self.entries.keys() & found:
            known = [rule for rule in found[item_id].rules if rule in self.bank.rules]
            self.entries[item_id] = replace(found[item_id], rules=known)
            if self._verdict(item_id) is None:
                self.entries[item_id].answer = None

    def question(self, item_id: str) -> Question:
        """Return an item with the numbers of its current variant."""
        variant = self.entries[item_id].variant
        seed = f"{SEED}+{variant}" if variant else SEED
        return pose(self.bank, self.bank.item(item_id), seed)

    # --- What a learner does -------------------------------------------------------------------

    def answer(self, item_id: str, given: Any) -> None:
        """Take an answer: what was typed, or the positions of the options as shown."""
        question = self.question(item_id)
        self._forms.pop(item_id, None)
        try:
            answer = _from_positions(question, given)
            verdict = mark(question, answer)
        except NoAnswer as problem:
            self._forms[item_id] = str(problem)
            return
        entry = self.entries[item_id]
        if verdict.right and entry.answer == answer:
            return  # checked twice, but tried once
        entry.answer, entry.tries = answer, entry.tries + 1
        entry.rules += verdict.rules
        self._keep()

    def reveal(self, item_id: str) -> None:
        """Show an item's answer to a learner who has tried."""
        if self.entries[item_id].tries >= TRIES_BEFORE_ANSWER:
            self.entries[item_id].revealed = True
            self._keep()

    def vary(self, item_id: str) -> None:
        """Ask an item again with other numbers; keep its wrong rules so far."""
        if self.bank.item(item_id).computation:
            entry = self.entries[item_id]
            self.entries[item_id] = Entry(variant=entry.variant + 1, rules=entry.rules)
            self._forms.pop(item_id, None)
            self._keep()

    def restart(self) -> None:
        """Forget everything."""
        self.entries = {item_id: Entry() for item_id in self.entries}
        self._forms.clear()
        self._keep()

    def _keep(self) -> None:
        self.note = memory.remember(self.bank.name, self.entries)

    # --- What the page knows -------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """Return plain data for the page: `questions`, `progress`, `summary`, `note`."""
        ids = [item.id for item in self.bank.items]
        progress = {item_id: self._progress(item_id) for item_id in ids}
        return {
            "questions": [_as_data(self.question(item_id)) for item_id in ids],
            "progress": progress,
            "summary": self._summary(progress),
            "note": self.note,
        }

    def _verdict(self, item_id: str) -> Verdict | None:
        """Mark the stored answer; None if there is none, or it no longer fits the item."""
        entry = self.entries[item_id]
        if entry.answer is None:
            return None
        try:
            return mark(self.question(item_id), entry.answer)
        except (NoAnswer, TypeError):
            return None

    def _progress(self, item_id: str) -> dict[str, Any]:
        question, entry = self.question(item_id), self.entries[item_id]
        verdict = self._verdict(item_id)
        right = verdict is not None and verdict.right
        done = right or entry.revealed
        return {
            "answer": _to_positions(question, entry.answer) if verdict else None,
            "right": right,
            "done": done,
            "tries": entry.tries,
            "feedback": _feedback(verdict, self._forms.get(item_id)),
            "explanation": markup(explain(question)) if done else "",
            "solution": phrase(answer_in_words(question)) if entry.revealed and not right else "",
            "link": None if right or not verdict else _link(question.item.section),
            "can_reveal": entry.tries >= TRIES_BEFORE_ANSWER and not done,
            "can_vary": bool(question.item.variables) and done,
        }

    def _summary(self, progress: dict[str, Any]) -> dict[str, Any]:
        counts = Counter(rule for entry in self.entries.values() for rule in entry.rules)
        sections: dict[str, str] = {}
        for item in self.bank.items:
            for rule in self.entries[item.id].rules:
                sections.setdefault(rule, item.section)
        return {
            "total": len(progress),
            "right": sum(p["right"] for p in progress.values()),
            "first_try": sum(p["right"] and p["tries"] == 1 for p in progress.values()),
            "closed": all(p["done"] for p in progress.values()),
            "slips": [
                {"count": n, "text": phrase(self.bank.rules[rule]), "link": _link(sections[rule])}
                for rule, n in counts.most_common()
            ],
        }


def _as_data(question: Question) -> dict[str, Any]:
    return {
        "id": question.item.id,
        "kind": question.item.kind,
        "html": markup(question.text),
        "how": phrase(how_to_answer(question)),
        "unit": question.item.unit,
        "options": [phrase(option.text) for option in question.options],
    }


def _link(section: str) -> dict[str, str]:
    return {"href": anchor(section), "text": section}


def _feedback(verdict: Verdict | None, form: str | None) -> str:
    if form:
        return markup(f"{form[0].upper()}{form[1:]}.")
    return "".join(markup(sentence) for sentence in verdict.sentences) if verdict else ""


def _from_positions(question: Question, given: Any) -> Any:
    """Turn positions of options on the page into their texts."""
    texts = [option.text for option in question.options]
    if not texts:
        return given
    positions = given if isinstance(given, list) else [given]
    if not all(type(p) is int and 0 <= p < len(texts) for p in positions):
        raise NoAnswer("choose an answer first")
    chosen = [texts[p] for p in positions]
    return chosen if question.item.kind == "multiple" else chosen[0]


def _to_positions(question: Question, answer: Any) -> Any:
    texts = [option.text for option in question.options]
    if not texts:
        return answer
    return [texts.index(a) for a in answer] if isinstance(answer, list) else texts.index(answer)
