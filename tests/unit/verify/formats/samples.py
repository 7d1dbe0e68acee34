"""Reports to write in other formats: harmless ones, and ones of an artifact whose maker means harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crossdock.verify.finding import Finding
from crossdock.verify.platforms import Platform
from crossdock.verify.report import ImageReport, OtherManifest, Report

if TYPE_CHECKING:
    from crossdock.verify.finding import Severity

NUMPY = "site-packages/numpy/core.so"

#: Names that would do harm in one format or another if they were taken as they are.
HOSTILE = (
    "a|b|c.so",
    "a\\|b\\\\|c\\",
    "`a`` ` ```\n```\n# heading",
    "\n| x | y |\n|---|---|\n",
    "\r\n\r\n::error title=pwned::pwned\r\n",
    "%0A::stop-commands::token",
    "##[error]old style",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</details></summary><!-- -->--><b>",
    "]]></failure><testcase name='x'/>&amp;&#0;&lt;",
    "@octocat/everyone #1 GH-1 owner/repo#2 :tada:",
    "https://evil.example/?a=b www.evil.example evil@evil.example",
    "[text](https://evil.example) ![picture](https://evil.example/x.png) [text](1)",
    "{0} {x} {{",
    "\x1b[31mred\x1b[0m\x07\x08\x00\x0b\x0c\x7f\x85",
    "line\u2028paragraph\u2029right\u202eleft\u200b\ufeff\ufffe\uffff",
    "not utf-8 \udcff\udc80, half a pair \ud800",
    "../../../../etc/passwd",
    "//evil.example/x",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "C:\\Windows\\system32",
    "a/./b//c/../d",
    "é日本語🎉 and spaces",
    " ",
    "~~~",
    "    indented",
    "$(id) ${{ secrets.TOKEN }} 'quotes' \"and\" ;&",
    "&#124; &lt;script&gt; &",
    "x" * 100_000,
    "|" * 5_000 + "`" * 5_000,
)

each_hostile = pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text[:20]) for text in HOSTILE])


def finding(path: str = NUMPY, **values: Any) -> Finding:
    known: dict[str, Any] = {
        "code": "elf-machine",
        "severity": "error",
        "package": "numpy 2.1.0",
        "found": "is an x86-64 ELF file",
        "wanted": "the target linux/arm64 needs aarch64",
        "hint": "take the wheel for the target",
    }
    return Finding(path=path, **{**known, **values})


def image(*findings: Finding, architecture: str = "arm64", **values: Any) -> ImageReport:
    known: dict[str, Any] = {
        "platform": Platform(os="linux", architecture=architecture),
        "digest": f"sha256:{'ab' * 32}",
        "layers": 3,
        "files": 1234,
        "packages": 17,
        "machines": {"aarch64 ELF": 40, "x86-64 ELF": 2},
        "findings": findings,
    }
    return ImageReport(**{**known, **values})


def report(*images: ImageReport, subject: str = "dist/app.tar", **values: Any) -> Report:
    return Report(subject=subject, images=images, **values)


def mixed() -> Report:
    """An index of two images with findings of every severity, one of them the same in both."""
    told: tuple[tuple[str, Severity], ...] = (("executable-stack", "warning"), ("rpath-nowhere", "note"))
    small = tuple(finding(code=code, severity=severity, found="is odd", wanted="", hint="") for code, severity in told)
    return report(
        image(finding(), finding("site-packages/numpy/linalg.so"), *small),
        image(finding(), architecture="amd64"),
        others=(OtherManifest(digest=f"sha256:{'cd' * 32}", reason="it is an attestation"),),
        findings=(finding("", code="platform-twice", package=None, found="two images are for linux/arm64"),),
    )


def hostile(text: str) -> Report:
    """A report in which everything that an artifact has a say in is one hostile text."""
    bad = finding(text, package=text, found=text, wanted=text, hint=text)
    named = Platform(os=text, architecture=text, variant=text)
    return report(
        image(bad, platform=named, digest=text),
        image(bad, bad, platform=None),
        others=(OtherManifest(digest=text, reason=text),),
        findings=(bad,),
        subject=text,
    )
