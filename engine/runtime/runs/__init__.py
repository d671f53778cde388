"""Start, drive, recover, evict and end runs."""
