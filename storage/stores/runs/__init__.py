"""The histories of runs: written, read and verified."""
