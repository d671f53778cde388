"""Reads and writes the packages that flows come in: solutions, flow packages, Standard projects, ARM templates."""
