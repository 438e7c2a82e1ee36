"""Audits this network once: the loop, its pace, the lookup of the tenant."""
