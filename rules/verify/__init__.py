"""Asks what failed once more: which questions, in which round, and since when each of them passes."""
