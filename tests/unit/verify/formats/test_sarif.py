"""SARIF: what the 2.1.0 standard and GitHub's code scanning ask of a log, whatever an artifact's files are called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import attr
import pytest
import sarif_om
from tests.unit.verify.formats.samples import NUMPY, each_hostile, finding, hostile, image, mixed, report

import crossdock
from crossdock.verify.codes import CODES
from crossdock.verify.formats import sarif, to_sarif

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.verify.report import Report


#: The class of Microsoft's object model, made from the standard's schema, for what is under a name.
MODEL: dict[str, type] = {
    "runs": sarif_om.Run,
    "tool": sarif_om.Tool,
    "driver": sarif_om.ToolComponent,
    "rules": sarif_om.ReportingDescriptor,
    "shortDescription": sarif_om.MultiformatMessageString,
    "fullDescription": sarif_om.MultiformatMessageString,
    "help": sarif_om.MultiformatMessageString,
    "defaultConfiguration": sarif_om.ReportingConfiguration,
    "invocations": sarif_om.Invocation,
    "toolExecutionNotifications": sarif_om.Notification,
    "artifacts": sarif_om.Artifact,
    "location": sarif_om.ArtifactLocation,
    "artifactLocation": sarif_om.ArtifactLocation,
    "results": sarif_om.Result,
    "message": sarif_om.Message,
    "locations": sarif_om.Location,
    "physicalLocation": sarif_om.PhysicalLocation,
    "logicalLocations": sarif_om.LogicalLocation,
    "region": sarif_om.Region,
}
#: What holds keys of anybody's own.
FREE = ("properties", "partialFingerprints")


def run_of(*reports: Report) -> dict[str, Any]:
    """The one run of a log that was written to JSON, read again, and found to be SARIF."""
    text = json.dumps(to_sarif(reports), allow_nan=False)
    text.encode()
    log = json.loads(text)
    log["schema_uri"] = log.pop("$schema")
    assert log["schema_uri"].endswith("/sarif-schema-2.1.0.json")
    check(sarif_om.SarifLog, log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def check(kind: type, values: dict[str, Any]) -> None:
    """Compare an object's keys with the model's, and those of all objects in it with theirs."""
    fields = {field.metadata["schema_property_name"]: field for field in attr.fields(kind)}
    fields["schema_uri"] = fields.get("$schema")
    required = {name for name, field in fields.items() if field is not None and field.default is attr.NOTHING}
    assert {*values} <= {*fields}, kind
    assert required <= {*values}, kind
    for key, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and key not in FREE:
                check(MODEL[key], item)
        if isinstance(value, list):
            assert len({json.dumps(item, sort_keys=True) for item in value}) == len(value), f"twice in {key}"


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def uri_of(result: dict[str, Any]) -> str:
    (location,) = result["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert isinstance(uri, str)
    return uri


def fingerprints(*reports: Report) -> list[str]:
    results = run_of(*reports)["results"]
    assert all(
        item["partialFingerprints"]["crossdockFinding/v1"] == item["partialFingerprints"]["primaryLocationLineHash"]
        for item in results
    )
    return [item["partialFingerprints"]["primaryLocationLineHash"] for item in results]


class TestRun:
    def test_the_tool_is_named_with_its_version(self) -> None:
        driver = run_of(mixed())["tool"]["driver"]
        assert (driver["name"], driver["version"]) == ("crossdock", crossdock.__version__)

    def test_every_code_of_the_catalogue_is_a_rule_and_so_is_one_that_is_not_in_it(self) -> None:
        run = run_of(report(image(finding(code="brand-new"))))
        rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
        assert {*rules} == {*CODES, "brand-new"}
        assert rules["rpath-nowhere"]["defaultConfiguration"]["level"] == "note"
        assert rules["rpath-nowhere"]["properties"]["tags"] == ["abi"]
        assert rules["elf-machine"]["shortDescription"]["text"] == CODES["elf-machine"].summary

    def test_what_was_looked_at_is_told_even_if_nothing_was_found(self) -> None:
        run = run_of(report(image()))
        assert run["results"] == []
        assert run["properties"]["images"] == [
            {
                "subject": "dist/app.tar",
                "platform": "linux/arm64",
                "digest": f"sha256:{'ab' * 32}",
                "ok": True,
                "files": 1234,
                "natives": 42,
                "packages": 17,
            }
        ]

    def test_a_manifest_that_was_not_judged_is_a_notification(self) -> None:
        (invocation,) = run_of(mixed())["invocations"]
        (notification,) = invocation["toolExecutionNotifications"]
        assert "it is an attestation" in notification["message"]["text"]

    def test_no_report_is_no_good_news(self) -> None:
        with pytest.raises(ValueError, match="no report"):
            to_sarif([])

    def test_a_report_of_nothing_has_a_result(self) -> None:
        (result,) = run_of(report())["results"]
        assert (result["ruleId"], result["level"]) == ("no-image", "error")

    def test_artifacts_are_named_once(self) -> None:
        run = run_of(report(image()), report(image(), subject="x.whl"), report(image()))
        assert [item["location"]["uri"] for item in run["artifacts"]] == ["dist/app.tar", "x.whl"]

    def test_more_results_than_github_takes_lose_the_least_important(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sarif, "_MOST_RESULTS", 4)
        run = run_of(mixed())
        assert [item["level"] for item in run["results"]] == ["error"] * 4
        assert run["invocations"][0]["toolExecutionNotifications"][-1] == {
            "level": "warning",
            "message": {"text": "2 more findings are left out"},
        }


class TestHomepage:
    def test_is_what_the_metadata_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Metadata:
            def get_all(self, name: str) -> list[str] | None:
                return ["Homepage, https://crossdock.example/"] if name == "Project-URL" else None

        monkeypatch.setattr(sarif, "metadata", lambda _: Metadata())
        assert run_of(mixed())["tool"]["driver"]["informationUri"] == "https://crossdock.example/"

    def test_is_left_out_where_crossdock_runs_without_being_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> None:
            raise PackageNotFoundError(name)

        monkeypatch.setattr(sarif, "metadata", missing)
        assert "informationUri" not in run_of(mixed())["tool"]["driver"]


class TestResults:
    def test_the_same_finding_on_two_images_is_two_results(self) -> None:
        run = run_of(mixed())
        found = [item for item in run["results"] if uri_of(item) == NUMPY and item["ruleId"] == "elf-machine"]
        assert [item["message"]["text"].partition(":")[0] for item in found] == ["linux/arm64", "linux/amd64"]
        assert len({item["partialFingerprints"]["primaryLocationLineHash"] for item in found}) == 2

    def test_errors_come_first_and_rules_are_pointed_at(self) -> None:
        run = run_of(mixed())
        assert [item["level"] for item in run["results"]] == ["error"] * 4 + ["warning", "note"]
        rules = run["tool"]["driver"]["rules"]
        assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in run["results"])

    def test_a_result_says_what_was_found_and_wanted_and_what_to_do(self) -> None:
        (result,) = run_of(report(image(finding())))["results"]
        assert result["message"]["text"] == (
            f"linux/arm64: numpy 2.1.0: {NUMPY} is an x86-64 ELF file, but the target linux/arm64 needs aarch64\n"
            "take the wheel for the target"
        )
        assert result["properties"] == {
            "subject": "dist/app.tar",
            "digest": f"sha256:{'ab' * 32}",
            "path": NUMPY,
            "found": "is an x86-64 ELF file",
            "wanted": "the target linux/arm64 needs aarch64",
        }
        assert result["locations"][0]["logicalLocations"] == [
            {"name": "linux/arm64", "kind": "platform"},
            {"name": "numpy 2.1.0", "kind": "package"},
        ]

    def test_each_has_the_region_that_github_asks_for(self) -> None:
        assert all(
            item["locations"][0]["physicalLocation"]["region"]["startLine"] == 1 for item in run_of(mixed())["results"]
        )

    def test_what_concerns_no_file_is_at_the_artifact(self) -> None:
        results = {item["ruleId"]: item for item in run_of(mixed())["results"]}
        assert uri_of(results["platform-twice"]) == "dist/app.tar"


class TestFingerprints:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("registry.example:5000/team/app:1.0", f"registry.example:5000/team/app:2.0@sha256:{'0a' * 32}"),
            ("app", f"app@sha256:{'0a' * 32}"),
        ],
    )
    def test_they_last_from_build_to_build(self, one: str, other: str) -> None:
        before = report(image(finding()), subject=one)
        changed = finding(package="numpy 2.2.0", found="is something else", hint="")
        after = report(image(changed, digest="sha256:00", files=7), subject=other)
        assert fingerprints(before) == fingerprints(after)

    @pytest.mark.parametrize("subject", ["registry.example:5000/team/app", "C:\\dist\\app", "dist/app.tar"])
    def test_what_is_no_tag_is_kept(self, subject: str) -> None:
        assert fingerprints(report(image(finding()), subject=subject)) != fingerprints(
            report(image(finding()), subject=subject.replace("app", "other"))
        )

    def test_they_differ_by_rule_file_package_platform_and_artifact(self) -> None:
        wrong = finding()
        reports = [
            report(image(wrong)),
            report(image(replace(wrong, code="elf-os"))),
            report(image(replace(wrong, path="other.so"))),
            report(image(replace(wrong, package="scipy 1.0"))),
            report(image(wrong, architecture="amd64")),
            report(image(wrong), subject="other.tar"),
            report(image(), findings=(wrong,)),
        ]
        assert len({print_ for item in reports for print_ in fingerprints(item)}) == len(reports)

    def test_two_that_nothing_stable_tells_apart_are_counted(self) -> None:
        layers = [finding("", code="layer-digest", package=None, found=f"layer {n} is wrong") for n in (1, 2)]
        first, second = fingerprints(report(image(*layers)))
        assert first.removesuffix(":1") == second.removesuffix(":2")


class TestHostileNames:
    @each_hostile
    def test_the_log_stays_sarif(self, text: str) -> None:
        run = run_of(hostile(text))
        assert len(run["results"]) == 4
        uris = [uri_of(item) for item in run["results"]] + [item["location"]["uri"] for item in run["artifacts"]]
        for uri in uris:
            assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)
            assert (urlsplit(uri).scheme, urlsplit(uri).netloc) == ("", "")
            assert urljoin("https://here.example/root/", uri).startswith("https://here.example/root/")
            assert not {".", ".."} & {*unquote_to_bytes(uri).decode("utf-8", "replace").split("/")}

    @each_hostile
    def test_no_string_of_it_harms_a_terminal_or_a_parser(self, text: str) -> None:
        for string in strings(run_of(hostile(text))):
            assert string.replace("\n", "").isprintable()
            assert len(string) < 5_000

    @each_hostile
    def test_no_message_has_a_placeholder_or_a_link(self, text: str) -> None:
        for result in run_of(hostile(text))["results"]:
            message = result["message"]["text"]
            assert not re.search(r"\{|\}", message.replace("{{", "").replace("}}", ""))
            assert not re.search(r"\[.*\]\(.*\)", message)

    def test_a_name_that_is_not_utf_8_keeps_its_bytes(self) -> None:
        name = b"caf\xe9 100%.so".decode("utf-8", "surrogateescape")
        (result,) = run_of(report(image(finding(f"lib/{name}"))))["results"]
        assert uri_of(result) == "lib/caf%E9%20100%25.so"

    def test_a_path_that_leads_out_is_told_but_not_pointed_at(self) -> None:
        (result,) = run_of(report(image(finding("../../etc/passwd"))))["results"]
        assert uri_of(result) == "dist/app.tar"
        assert result["properties"]["path"] == "../../etc/passwd"
