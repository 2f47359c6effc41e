"""The challenge: who classifies `shapes` best, on a budget and with two minutes of training?

An entry is one Python file that defines `build()` and may define `config`, `augment` and
`batch_size`. It gets no data and has no training loop: the challenge trains, without the entry's
code. `entry` runs that code once, `recording` writes down which operators of torch the net runs,
and `scoring` counts, trains and classifies with what was written down. So a hook is counted like
anything else, the other images of a batch cannot help to classify one, and the code that could
cheat has ended before the hidden images come in.

    challenge.practise("my_entry.py")
"""

from course_utils.challenge.entry import Entry, Refused, read_entry
from course_utils.challenge.recording import Replay, record
from course_utils.challenge.scoring import Answers, Rules, draw_test, practise, score

__all__ = [
    "Answers",
    "Entry",
    "Refused",
    "Replay",
    "Rules",
    "draw_test",
    "practise",
    "read_entry",
    "record",
    "score",
]
