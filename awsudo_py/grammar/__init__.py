"""The command line as plain data, read by click, completion, help and tests."""
