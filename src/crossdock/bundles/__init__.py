"""What is handed over as files: PEX, zips for functions, virtual environments, self-contained executables."""
