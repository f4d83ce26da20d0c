"""A corpus of configurations, and the two sides that resolve it: awsudo and botocore."""
