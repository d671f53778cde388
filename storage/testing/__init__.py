"""The published conformance suites for backends and key providers."""
