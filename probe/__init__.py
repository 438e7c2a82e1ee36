"""Measures: every byte that leaves or enters the machine passes through this package.

It is also the appliance: the command line, the loop around an audit, the configuration.
It never judges what it saw.
"""
