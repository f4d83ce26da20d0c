"""From the words of a command line to a request, and the subcommands."""
