"""Keys: the keyring, where keys come from, their state, and customers' key stores."""
