"""The banks: a folder a lesson, with the questions and rules (`*.toml`) and their `answers.py`."""

__all__: list[str] = []
