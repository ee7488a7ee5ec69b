"""Schemathesis: the agent beside the document of its API, which it serves itself."""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).parent
URL = os.environ["BATON_URL"]


def in_one_line(text):
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())


def main():
    print(f"client schemathesis {importlib.metadata.version('schemathesis')}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        run = [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run", "--no-color"]
        run += ["--url", URL, "--report", "junit", "--report-junit-path", report, f"{URL}/openapi.json"]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = f"{HERE}:{os.environ['PYTHONPATH']}"
        done = subprocess.run(run, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        cases = list(xml.parse(report).iter("testcase")) if report.exists() else []
    failed = 0
    for case in cases:
        faults = [in_one_line(fault.text or "") for kind in ("failure", "error") for fault in case.findall(kind)]
        failed += len(faults)
        if not faults:
            print(f"ok {case.get('name')}")
        for fault in faults:
            print(f"not ok {case.get('name')}: {fault}")
    if not failed and (done.returncode or not cases):
        print(f"not ok it runs to its end: {in_one_line(done.stdout + done.stderr)}")


main()
