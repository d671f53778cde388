"""The backends: each stores opaque bytes and the published clear columns. None of them can import a cipher."""
