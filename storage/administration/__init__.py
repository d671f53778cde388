"""What administrators do to keys and policies of environments, and who may do it."""
