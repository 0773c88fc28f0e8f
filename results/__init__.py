"""What it says: scores, tables, statistics and the report."""
