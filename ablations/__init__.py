"""Who competes: variants, recipes, scales and the tables that name them."""
