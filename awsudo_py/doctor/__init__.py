"""Checks of the machine, for `awsudo doctor`: each problem, with the command that fixes it."""
