"""Measures repeatedly and judges the answers."""
