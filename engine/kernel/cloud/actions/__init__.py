"""What the actions of cloud flows evaluate, by kind."""
