"""The demo: a small STS of its own, and the story around it."""
