"""OCI images: descriptors, configs, manifests, indexes and layouts; nothing of Python."""
