"""Reading IAM policies: their content, whether they let a caller assume a role, and why not. No I/O."""
