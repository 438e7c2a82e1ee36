"""Tells what was found: values of ``rules`` in; text, pages or metric families out. No network."""
