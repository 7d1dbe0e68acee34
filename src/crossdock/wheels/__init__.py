"""Wheels: reading them in place and laying them out for a target."""
