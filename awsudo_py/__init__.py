"""awsudo: sudo for AWS. Runs one command as an IAM role."""

__version__ = "0.2.0"
