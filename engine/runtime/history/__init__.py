"""Read the stored history of runs: records, states, large values."""
