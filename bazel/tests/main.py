"""The tests' application."""

import greet

print(greet.greet())
