"""Reads the headers of programs and libraries: ELF, Mach-O and PE.

Knows nothing of artifacts: bytes in, values out. What is read is hostile, so every offset and count is checked.
"""
