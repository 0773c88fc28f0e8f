"""How steps are run: in this process or on Ray, until the plan is done."""
