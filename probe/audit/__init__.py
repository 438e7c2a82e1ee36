"""Asks once: an audit of this network, and what it needs beside the machine (pace, tenant)."""
