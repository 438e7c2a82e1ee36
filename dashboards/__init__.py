"""Dashboards and alerts: data that is made by `python -m dashboards.build`, and what it is made from.

Not in the wheel. `queries()` and `rules()` serve whoever runs all of it against a real Prometheus.
"""

from dashboards.panel_queries import annotation_queries, queries, variable_queries
from dashboards.prometheus_rules import rules, rules_file

__all__ = ["annotation_queries", "queries", "rules", "rules_file", "variable_queries"]
