"""Work on whole environments: verify, back up, relocate, encrypt again, apply retention, shred."""
