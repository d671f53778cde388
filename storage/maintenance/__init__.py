"""Work on whole environments: verification, backup, relocation, re-encryption, retention, shredding."""
