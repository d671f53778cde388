"""Reading runs: results, reports, traces, lists and bundles."""
