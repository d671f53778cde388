"""Commands about runs and work queues."""
