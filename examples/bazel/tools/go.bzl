"""A rule for programs in Go without dependencies, by the `go` command of the machine that builds.

Larger programs want rules_go, whose `go_binary` serves `release_app` the same way: any executable target that is compiled
for the platform it is asked for.
"""

def _go_program_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    cpus = [
        cpu
        for cpu, constraints in {"amd64": ctx.attr._amd64, "arm64": ctx.attr._arm64}.items()
        if all([ctx.target_platform_has_constraint(one[platform_common.ConstraintValueInfo]) for one in constraints])
    ]
    if not cpus:
        fail("%s: this rule compiles for linux/amd64 and linux/arm64 only: set platform or --platforms to one of them" % ctx.label)
    cpu = cpus[0]
    arguments = ctx.actions.args()
    arguments.add("build")
    arguments.add("-trimpath")
    arguments.add("-buildvcs=false")
    arguments.add("-ldflags=-s -w -buildid=")
    arguments.add("-o", program)
    arguments.add_all(ctx.files.srcs)
    ctx.actions.run_shell(
        # Go insists on an absolute folder for what it would like to keep; here it is gone with the action.
        command = 'export GOCACHE="$PWD/.cache" && exec go "$@"',
        arguments = [arguments],
        env = {
            "CGO_ENABLED": "0",
            "GOARCH": cpu,
            "GOENV": "off",
            "GOFLAGS": "-mod=mod",
            "GOOS": "linux",
            "GOPATH": "/nonexistent",
            "GOTOOLCHAIN": "local",
            "PATH": "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin",
        },
        inputs = ctx.files.srcs,
        mnemonic = "GoProgram",
        outputs = [program],
        progress_message = "Compiling %%{label} for linux/%s" % cpu,
    )
    return [DefaultInfo(
        executable = program,
        files = depset([program]),
    )]

go_program = rule(
    implementation = _go_program_impl,
    attrs = {
        "srcs": attr.label_list(
            allow_files = [".go"],
            doc = "Files of one package, `main`.",
            mandatory = True,
        ),
        "_amd64": attr.label_list(default = ["@platforms//cpu:x86_64", "@platforms//os:linux"]),
        "_arm64": attr.label_list(default = ["@platforms//cpu:aarch64", "@platforms//os:linux"]),
    },
    doc = "Compiles a program for Linux on the target platform's CPU.",
    executable = True,
)
