"""What to ask next: the audit's state machine, without a socket."""
