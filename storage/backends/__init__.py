"""The backends. Each one stores opaque bytes and the published clear columns, and imports no cipher."""
