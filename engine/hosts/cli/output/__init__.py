"""What commands print: lines, trees, progress, and JSON."""
