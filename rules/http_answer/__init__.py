"""What an answer over port 80 is, and who wrote it."""
