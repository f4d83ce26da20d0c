"""The network: the only room that knows botocore."""
