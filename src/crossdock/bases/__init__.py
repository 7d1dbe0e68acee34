"""Base images: where they come from and what they bring (libc, Python, user)."""
