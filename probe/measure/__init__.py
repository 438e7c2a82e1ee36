"""Measures: one file for each kind of question, on a network that tests can replace."""
