"""A store to be watched in a browser while a run goes on: read only, from its files alone."""
