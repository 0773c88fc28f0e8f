"""A grid: from YAML to checked values, and from these to steps and cells."""
