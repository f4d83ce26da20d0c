"""Turns the words of a command line into a request; has the subcommands."""
