"""PEX files: pex's own runtime, and wheels as pex installs them, put together by copying."""
