"""From a request and the AWS files to a chain of roles: pure, no network."""
