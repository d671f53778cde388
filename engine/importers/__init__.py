"""Read and write packages of flows: solutions, flow packages, Standard projects, ARM templates."""
