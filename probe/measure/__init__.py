"""Every question on the wire: one file for each kind, on a network that tests can replace."""
