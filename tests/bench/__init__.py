"""The benchmark: `make bench`, or `python -m tests.bench`. Each figure is printed with its target.

Everything runs inside network namespaces of its own, at addresses that look public, so that the program is measured as
it ships, its guards included. docs/bench.md and docs/bench.json are what it writes.
"""
