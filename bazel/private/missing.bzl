"""What stands where there is nothing to take. It is an error to use it, and none that it is there."""

load(":target.bzl", "TargetInfo")

def no_target_message(what, attribute, found, wanted):
    """Says that there is nothing for what is built for.

    Args:
        what: What was asked for.
        attribute: Where users say what there is to be.
        found: TargetInfo: what is built for.
        wanted: list of what there is, spelled.

    Returns:
        The message.
    """
    building = "%s Python %s" % (found.spelling or "a platform without a known system and processor", found.python_spelling)
    return "\n".join([
        "%s has nothing for %s" % (what, building),
        "  why: it is there for %s" % ", ".join(wanted),
        "  hint: build for one of these (attribute `platform` of crossdock's rules, or --platforms, and the flags " +
        "//bazel/config:python_version, :freethreaded, :glibc, :musl, :macos of crossdock),",
        "  or add it to %s in MODULE.bazel" % attribute,
    ])

def _missing_wheel_impl(ctx):
    fail(ctx.attr.message)

missing_wheel = rule(
    implementation = _missing_wheel_impl,
    doc = "Fails when it is built: there is no wheel for a target.",
    attrs = {
        "message": attr.string(mandatory = True, doc = "Package, platform and tags."),
    },
)

def _no_target_impl(ctx):
    fail(no_target_message(ctx.attr.what, ctx.attr.attribute, ctx.attr._target[TargetInfo], ctx.attr.targets))

no_target = rule(
    implementation = _no_target_impl,
    doc = "Fails when it is built: a repository has nothing for what is built for.",
    attrs = {
        "attribute": attr.string(mandatory = True, doc = "Where users say what there is to be."),
        "targets": attr.string_list(mandatory = True, doc = "What there is."),
        "what": attr.string(mandatory = True, doc = "What is asked for."),
        "_target": attr.label(default = "//bazel/private:target", providers = [TargetInfo]),
    },
)
