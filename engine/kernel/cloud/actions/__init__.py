"""What the actions of cloud flows evaluate, one module for each kind."""
