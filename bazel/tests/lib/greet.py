"""A library of the tests' application."""


def greet() -> str:
    """Say hello."""
    return "hello"
