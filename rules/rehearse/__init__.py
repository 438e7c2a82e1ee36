"""Judges what would be seen: a recording with some answers replaced, and the alerts that would follow."""
