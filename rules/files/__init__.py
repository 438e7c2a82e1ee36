"""Values in files: rule sets, CA sets, reports and recordings."""
