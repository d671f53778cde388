"""Desktop flows as they are written: Robin scripts, read, checked and evaluated. How they run is the kernel's."""
