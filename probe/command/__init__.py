"""The command line: a file for each sub-command."""
