"""Grading: `checks` is what the exercises call, `preprocessors` is what nbgrader calls.

A learner's notebook imports `checks` alone, which needs no nbgrader.
"""
