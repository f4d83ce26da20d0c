"""One command on many targets: selecting them, running it, and its results."""
