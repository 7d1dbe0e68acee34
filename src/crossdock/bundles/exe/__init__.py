"""Executables that unpack themselves: a launcher, a Python and an application in one file."""
