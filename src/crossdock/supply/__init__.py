"""What an image was made of and how: bills of materials, provenance, and how they are attached to it."""
