"""Texts of peers and people: host names, addresses, patterns, points in time."""
