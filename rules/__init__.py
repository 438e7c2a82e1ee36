"""Decide what to ask, how to read an answer and what it means.

Pure: no sockets, no files, no clock, no randomness; time is always an argument. A replay of a recorded report gives
the same verdict.
"""
