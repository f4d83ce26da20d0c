"""awsudo keys: a module for each of its subcommands."""
