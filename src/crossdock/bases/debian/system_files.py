"""The files of a root file system that no package ships: maintainer scripts make them on an installed system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.layers.entry import Entry, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["MERGED", "NONROOT", "ca_bundle", "fixed_entries", "generated_files", "merged_links"]

NONROOT = 65532
_NOBODY = 65534

# Top-level folders that are links into /usr on every Debian since bookworm.
MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_ALWAYS = frozenset({"bin", "lib", "sbin"})

_CA_FOLDER = "usr/share/ca-certificates/"
_CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

_PASSWD = f"""\
root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:{_NOBODY}:{_NOBODY}:nobody:/nonexistent:/usr/sbin/nologin
nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/usr/sbin/nologin
"""
_GROUP = f"root:x:0:\nnogroup:x:{_NOBODY}:\nnonroot:x:{NONROOT}:\n"
# The name services that libc6 itself brings; others need libraries that are not here.
_NSSWITCH = """\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
"""


def fixed_entries() -> list[Entry]:
    """Give the folders every system has, with the modes programs count on (FHS 3.0), and the two old links in /var."""
    plain = ("boot", "dev", "etc", "home", "opt", "proc", "run", "srv", "sys", "usr", "usr/bin", "usr/lib", "usr/sbin")
    return [
        *(directory(path) for path in (*plain, "mnt", "usr/local", "var", "var/cache", "var/lib", "var/log")),
        directory("root", mode=0o700),
        directory("run/lock", mode=0o1777),
        directory("tmp", mode=0o1777),
        directory("var/tmp", mode=0o1777),
        Entry(path="home/nonroot", kind="directory", mode=0o700, uid=NONROOT, gid=NONROOT),
        symlink("var/lock", "/run/lock"),
        symlink("var/run", "/run"),
    ]


def merged_links(paths: Collection[str]) -> list[Entry]:
    """Give the links of merged-/usr: /bin, /lib and /sbin always, the others where a package fills them."""
    return [symlink(name, f"usr/{name}") for name in MERGED if name in _ALWAYS or f"usr/{name}" in paths]


def generated_files(entries: Mapping[str, Entry]) -> list[Entry]:
    """Give what maintainer scripts would make and Python or its users need, given the packages' own ``entries``.

    /etc/ld.so.cache is not made: it is only a cache. Without it the dynamic loader searches its built-in path, which in
    Debian's libc6 includes /lib/TRIPLET and /usr/lib/TRIPLET, where Debian puts its libraries.
    """
    generated = [
        file("etc/passwd", _PASSWD.encode()),
        file("etc/group", _GROUP.encode()),
        file("etc/nsswitch.conf", _NSSWITCH.encode()),
    ]
    if "usr/lib/os-release" in entries:
        generated.append(symlink("etc/os-release", "../usr/lib/os-release"))
    if "usr/share/zoneinfo/Etc/UTC" in entries:
        generated += [symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"), file("etc/timezone", b"Etc/UTC\n")]
    bundle = ca_bundle(entries)
    if bundle:
        generated += [
            file(_CA_BUNDLE, bundle),
            # Where OpenSSL itself looks. The command's package makes these links, and it is not here.
            symlink("usr/lib/ssl/cert.pem", f"/{_CA_BUNDLE}"),
            symlink("usr/lib/ssl/certs", "/etc/ssl/certs"),
        ]
    return generated


def ca_bundle(entries: Mapping[str, Entry]) -> bytes:
    """Join the certificates of ca-certificates as ``update-ca-certificates`` does: all of them, in order of name."""
    names = sorted(path for path in entries if path.startswith(_CA_FOLDER) and path.endswith(".crt"))
    parts = (entries[name].content for name in names if entries[name].kind == "file")
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts)
