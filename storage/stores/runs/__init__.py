"""The histories of runs: write, read and verify them."""
