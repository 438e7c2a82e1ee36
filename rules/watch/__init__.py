"""What changed since the last look, and what was told of it."""
