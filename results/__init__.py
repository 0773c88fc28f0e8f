"""What it says: scores, tables, statistics and the report.

`results.load(store, grid)` gives every score of a grid as one long pandas frame. Everything here
reads files only; neither torch nor the harness is imported.
"""

from results.scores import load

__all__ = ["load"]
