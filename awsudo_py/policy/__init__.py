"""Reading IAM policies: what they say, whether they let a caller assume a role, and why not. No I/O."""
