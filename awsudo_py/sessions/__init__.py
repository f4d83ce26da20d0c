"""From a chain to credentials: look, lock, look again, call AWS, store, forget."""
