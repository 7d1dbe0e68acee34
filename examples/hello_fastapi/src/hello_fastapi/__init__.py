"""A small HTTP application whose dependencies hold compiled code."""
