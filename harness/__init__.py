"""How it runs: grids, plans, the store, steps and their executors."""
