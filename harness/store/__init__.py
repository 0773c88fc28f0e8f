"""What is finished: folders that are there if and only if their step is done."""
