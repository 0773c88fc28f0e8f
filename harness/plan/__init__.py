"""What would be done, what it would cost, and why a step would run again."""
