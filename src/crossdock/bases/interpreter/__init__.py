"""A Python that an image brings itself: an archive of a standalone one, or Debian's packages."""
