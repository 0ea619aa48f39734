"""What the installed libraries are known to suffer from, and under which licences they come.

    python -m experiments.dependencies audit       known vulnerabilities, by pip-audit
    python -m experiments.dependencies licences    licence of every installed distribution

Both end with ``figure`` lines.  An advisory service that does not answer is said and is no failure: only a finding ends with 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

SECONDS = 300
"""How long the advisory service may take in all."""
SERVICES = ("pypi", "osv")
UNREACHABLE = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|Max retries|NameResolution|Temporary failure|ServiceError|HTTPError|"
    r"Failed to (?:connect|query)|Could not connect|\b[45]\d\d (?:Client|Server) Error",
)
SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
}
"""Names of licences in classifiers by their short ones."""
STRICT = re.compile(r"\b(?:A?GPL|Affero|GNU General Public)", re.IGNORECASE)
"""Licences that would bind what is built on the project."""
LENIENT = re.compile(r"\bL(?:esser )?GPL|GNU Lesser|Library General Public", re.IGNORECASE)
UNKNOWN = "unknown"


def main(arguments: list[str] | None = None) -> int:
    """Audit, or list licences."""
    parser = argparse.ArgumentParser(description="vulnerabilities and licences of the installed libraries")
    parser.add_argument("what", choices=["audit", "licences"])
    return audit() if parser.parse_args(arguments).what == "audit" else licences()


def audit() -> int:
    """Ask each advisory service in turn until one answers; 1 when it knows of a vulnerability."""
    for service in SERVICES:
        found, why = advisories(service)
        if found is None:
            print(f"the advisory service {service} could not be asked: {why}")
            continue
        for name, version, advisory, fixed in found:
            print(f"{name} {version}: {advisory}; " + (f"fixed in {fixed}" if fixed else "no version fixes it yet"))
        print(f"figure audit_vulnerabilities {len(found)} findings target 0 {'ok' if not found else 'short'}")
        return int(bool(found))
    print("no advisory service answered: nothing was audited, which is no finding; repeat it where there is a network")
    print("figure audit_vulnerabilities unknown findings target 0 short")
    return 0


def advisories(service: str) -> tuple[list[tuple[str, str, str, str]] | None, str]:
    """Name, version, advisory and the version that fixes it, of each finding; None, and why, when the service did not answer.

    Raises:
        ValueError: pip-audit is not installed, or failed for another reason.
    """
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "-s", service]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {SECONDS} s"
    if "No module named pip_audit" in done.stderr:
        raise ValueError("pip-audit is not installed: pip install -e '.[audit]'")
    return parsed(done.stdout, done.stderr)


def parsed(output: str, errors: str) -> tuple[list[tuple[str, str, str, str]] | None, str]:
    """:func:`advisories` from what pip-audit printed."""
    try:
        listed = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["it printed nothing"])[-1][:200]
        if UNREACHABLE.search(errors):
            return None, last
        raise ValueError(f"pip-audit failed: {last}") from None
    return [
        (entry["name"], entry["version"], flaw["id"], ", ".join(flaw["fix_versions"]))
        for entry in listed
        for flaw in entry.get("vulns", ())
    ], ""


def licences() -> int:
    """Print every distribution's licence; 1 when one binds what is built on it."""
    rows = sorted({(d.metadata["Name"], d.version, licence_of(d)) for d in distributions()}, key=lambda r: r[0].lower())
    wide = max(len(f"{name} {version}") for name, version, _ in rows)
    for name, version, licence in rows:
        print(f"{f'{name} {version}':{wide}}  {licence}")
    print("\n" + ", ".join(f"{licence} {count}" for licence, count in Counter(r[2] for r in rows).most_common()))
    strict = [name for name, _, licence in rows if binds(licence)]
    unknown = [name for name, _, licence in rows if licence == UNKNOWN]
    for what, names in (("binding", strict), (UNKNOWN, unknown)):
        print(
            f"figure licences_{what} {len(names)} packages target 0 {'ok' if not names else 'short'}"
            + (f"  ({', '.join(names)})" if names else "")
        )
    print(f"figure licences_listed {len(rows)} packages target {len(rows)} ok")
    return int(bool(strict))


def binds(licence: str) -> bool:
    """Whether a licence asks the same of what is built on it, with no other one to choose."""
    choices = re.split(r"\s+OR\s+|/", licence)
    return all(STRICT.search(choice) is not None and LENIENT.search(choice) is None for choice in choices)


def licence_of(distribution: Distribution) -> str:
    """The licence that a distribution declares: its expression, else its classifiers, else the first line of its text."""
    return next(iter(_declared(distribution)), UNKNOWN)


def _declared(distribution: Distribution) -> Iterator[str]:
    metadata = distribution.metadata
    if metadata.get("License-Expression"):
        yield metadata["License-Expression"]
    classifiers = [c.rpartition(" :: ")[2] for c in metadata.get_all("Classifier") or () if c.startswith("License :: ")]
    named = [SPDX.get(c, c) for c in classifiers if c != "OSI Approved"]
    if named:
        yield " AND ".join(sorted(set(named)))
    text = (metadata.get("License") or "").strip().splitlines()
    if text and text[0].upper() not in ("", UNKNOWN.upper()):
        yield text[0].strip()[:60]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as problem:
        sys.exit(str(problem))
