"""The rules of `sealflow check` for desktop flows."""
