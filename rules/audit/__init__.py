"""What to ask next: the machine of an audit, without a socket."""
