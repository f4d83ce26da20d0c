"""Signing in to IAM Identity Center: tokens, the browser, and what the access portal lists."""
