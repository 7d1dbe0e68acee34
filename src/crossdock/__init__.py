"""crossdock: true cross-compilation for Python applications."""

__all__ = ["__version__"]

__version__ = "0.1.0"
