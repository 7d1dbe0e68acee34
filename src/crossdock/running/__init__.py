"""Runs code inside a finished artifact, shut off from the machine it runs on; only when a user asks for it."""
