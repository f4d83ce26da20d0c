"""The Python library."""
