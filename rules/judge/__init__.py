"""What the observations mean: verdicts, causes, the answer."""
