"""The tests: real processes, real files, a strict STS."""
