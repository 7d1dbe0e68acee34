"""Layers: file trees and wheels as tar.gz files that are the same everywhere."""
