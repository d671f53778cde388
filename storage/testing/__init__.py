"""The published conformance suites of backends and key providers."""
