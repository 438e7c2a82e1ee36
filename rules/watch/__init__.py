"""Decides what changed since the last judgement, what is published, and what is due next."""
