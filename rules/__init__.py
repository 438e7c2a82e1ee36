"""Decides what to ask, what an answer looks like and what it means.

Pure: no sockets, no files, no clock, no randomness; time is always an argument. Everything here can be
run again on a recorded report and gives the same verdict.
"""
