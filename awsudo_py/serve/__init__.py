"""The credential endpoint for one child."""
