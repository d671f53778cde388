"""Runs: started, driven, recovered, evicted and ended."""
