"""How large a function may be, and what a user is told of one that is larger."""

from __future__ import annotations

import pytest

from crossdock.bundles.functions.kinds import AWS, AZURE, GOOGLE, FunctionKind
from crossdock.bundles.functions.sizes import PackageSize, check_unpacked, check_zipped, size_table
from crossdock.errors import BundleTooLargeError

MEGABYTE = 1 << 20
SIZES = [PackageSize(name="small 1.0", size=MEGABYTE), PackageSize(name="largest 2.10.3", size=299 * MEGABYTE)]


def unpacked(kind: FunctionKind, total: int) -> list[str]:
    warnings: list[str] = []
    check_unpacked(kind, "shop_lambda_linux_arm64.zip", total, lambda: SIZES, warnings.append)
    return warnings


def zipped(kind: FunctionKind, size: int, *, direct: bool = False) -> list[str]:
    warnings: list[str] = []
    check_zipped(kind, "shop.zip", size, direct=direct, sizes=lambda: SIZES, warn=warnings.append)
    return warnings


def test_lambda_takes_less_than_250_mb_unpacked() -> None:
    assert unpacked(AWS, 262_143_999) == []
    with pytest.raises(BundleTooLargeError):
        unpacked(AWS, 262_144_000)


def test_a_function_that_is_too_large_is_told_with_its_largest_packages() -> None:
    with pytest.raises(BundleTooLargeError) as caught:
        unpacked(AWS, 300 * MEGABYTE)

    assert str(caught.value).splitlines()[:4] == [
        "shop_lambda_linux_arm64.zip has 314,572,800 bytes unpacked (300.0 MB)",
        "  why: AWS Lambda takes less than 262,144,000 bytes, layers included; the largest packages:",
        "       largest 2.10.3    299.0 MB   100 %",
        "       small 1.0           1.0 MB     0 %",
    ]
    assert "crossdock image --profile lambda" in caught.value.hint


def test_lambda_takes_50_mb_in_a_direct_upload_and_more_through_s3() -> None:
    assert zipped(AWS, 52_428_800) == []
    (warning,) = zipped(AWS, 52_428_801)
    assert "up to 52,428,800 in a direct upload: upload it to Amazon S3" in warning


def test_a_direct_upload_of_more_is_refused() -> None:
    assert zipped(AWS, 52_428_800, direct=True) == []
    with pytest.raises(BundleTooLargeError, match=r"largest 2\.10\.3") as caught:
        zipped(AWS, 52_428_801, direct=True)

    assert "S3" in caught.value.hint


def test_google_has_limits_for_its_first_generation_alone() -> None:
    assert unpacked(GOOGLE, 499_999_999) == []
    (warning,) = unpacked(GOOGLE, 500_000_000)
    assert "1st generation" in warning
    assert "layers" not in warning  # it has none
    assert "largest 2.10.3" in warning
    assert zipped(GOOGLE, 100_000_000) == []
    assert len(zipped(GOOGLE, 100_000_001)) == 1


def test_of_azure_no_limit_is_known() -> None:
    assert unpacked(AZURE, 1 << 40) == zipped(AZURE, 1 << 40, direct=True) == []


def test_a_table_of_many_packages_ends_with_what_is_left() -> None:
    sizes = [PackageSize(name=f"package-{number}", size=(number + 1) * MEGABYTE) for number in range(12)]

    lines = size_table(sizes, 80 * MEGABYTE)

    assert len(lines) == 11
    assert lines[0] == "package-11             12.0 MB    15 %"
    assert lines[-1] == "2 smaller packages      5.0 MB     6 %"


def test_a_table_counts_what_is_of_no_package() -> None:
    assert size_table([PackageSize(name="a", size=MEGABYTE)], 4 * MEGABYTE) == [
        "a             1.0 MB    25 %",
        "all else      3.0 MB    75 %",
    ]
