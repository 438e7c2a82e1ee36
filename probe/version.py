"""The program's version. A constant, because asking the installed metadata costs more than all of `--version`."""

VERSION = "0.1.0"
