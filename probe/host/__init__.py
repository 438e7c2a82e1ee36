"""This computer: files, terminal, signals, clocks, and what Windows and systemd offer."""
