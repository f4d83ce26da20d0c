"""One command on many targets: which ones, running it, and what came of it."""
