"""The demo: a small STS of its own, and the story that is told with it."""
