"""Opens the files of a report with readers that are not ours, and prints what they found.

Usage: readers.py FOLDER JUNIT_XSD
Needs the packages hdrhistogram, prometheus_client and xmlschema.
"""

import json
import sys
from pathlib import Path

import xmlschema
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from prometheus_client.openmetrics.parser import text_string_to_metric_families

folder = Path(sys.argv[1])
report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
requests = report["requests"]


def check(what, seen, expected):
    print(f"{what}: {seen}")
    if seen != expected:
        sys.exit(f"{what}: {seen}, not {expected}")


samples = [s for f in text_string_to_metric_families((folder / "metrics.txt").read_text(encoding="utf-8")) for s in f.samples]
total = {s.labels["result"]: s.value for s in samples if s.name == "sim_requests_total"}
check("metrics.txt: answered", total["answered"], requests["answered"])
check("metrics.txt: dropped", total["dropped"], requests["dropped"])

xmlschema.XMLSchema(sys.argv[2]).validate(str(folder / "junit.xml"))
print("junit.xml: valid")

log = HistogramLogReader(str(folder / "latency.hlog"), HdrHistogram(1_000, 3_600_000_000_000, 3))
counts = {}
while (interval := log.get_next_interval_histogram()) is not None:
    kind = (interval.get_tag() or "whole").split("/")[0]
    counts[kind] = counts.get(kind, 0) + interval.get_total_count()
check("latency.hlog: untagged", counts.pop("whole"), requests["answered"])
check("latency.hlog: targets", counts.pop("target"), report["latency_us"]["n"])
check("latency.hlog: phases", sum(counts.values()), requests["answered"])
