"""Long-lived keys: the OS keyring, the index of its keys, rotation, plaintext copies, audit."""
