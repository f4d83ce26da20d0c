"""Checks of the machine, for `awsudo doctor`: what is wrong, and the command that mends it."""
