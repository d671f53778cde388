"""Read runs: results, reports, traces, lists and bundles."""
