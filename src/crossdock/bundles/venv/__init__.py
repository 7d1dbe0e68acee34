"""Virtual environments, and folders of packages, for machines other than this one."""
