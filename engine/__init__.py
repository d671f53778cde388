"""What a flow means and how it is run."""
