"""Run flows: everything that does I/O below the hosts. Each sub-package is a room."""
