"""One target for a platform, or one for each of several."""

load(":naming.bzl", "binary_for", "platform_label", "platform_name", "platform_variants")

def by_platform(name, make, binary, platform, platforms, where, **kwargs):
    """Makes a target of a binary for one platform, or `<name>_<ending>` for each of several and a group of them.

    Args:
        name: Name of the target.
        make: Rule of the target.
        binary: The binary.
        platform: Platform, as a spelling or label, or None.
        platforms: Several platforms, as in `platform_variants`, or None.
        where: What the target is called in errors.
        **kwargs: What all targets are given.
    """
    if platform and platforms:
        fail("%s: platform and platforms are both given: one file, or one for each platform?" % where)
    if platforms == None:
        make(
            name = name,
            binary = binary_for(binary, platform_name(str(platform))) if platform else binary,
            platform = platform_label(platform, where + ": platform") if platform else None,
            **kwargs
        )
        return
    variants = platform_variants(platforms, where + ": platforms")
    for ending, label in variants.items():
        make(
            name = "%s_%s" % (name, ending),
            binary = binary_for(binary, ending),
            platform = label,
            **kwargs
        )
    native.filegroup(
        name = name,
        srcs = [":%s_%s" % (name, ending) for ending in variants],
        **{key: kwargs[key] for key in ("tags", "testonly", "visibility") if key in kwargs}
    )
