"""The code that decides results: what it says, what users add to it, and by which names."""
