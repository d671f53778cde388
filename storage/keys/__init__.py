"""Keys: the keyring, the service's keystore, the state of keys, and customers' key stores."""
