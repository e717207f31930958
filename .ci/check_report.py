"""Reads a report.json as an outside program would and checks that every request is accounted for.

Usage: check_report.py REPORT INTENDED
"""

import json
import sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
intended = int(sys.argv[2])
requests = report["requests"]


def check(what, holds):
    print(("ok    " if holds else "WRONG ") + what)
    if not holds:
        sys.exit(f"{what}: {json.dumps(requests)}")


check("schema is 1", report["schema"] == 1)
check("the verdict is pass with exit code 0", report["verdict"]["result"] == "pass" and report["verdict"]["exit_code"] == 0)
check(f"{intended} intended", requests["intended"] == intended)
check("intended = answered + dropped", requests["intended"] == requests["answered"] + requests["dropped"])
check("dropped = sum of causes", requests["dropped"] == sum(requests["dropped_by_cause"].values()))
check("nothing dropped, duplicated or lost", requests["dropped"] == requests["duplicates"] == requests["lost"] == 0)
check("phases add up to the whole", sum(p["requests"]["intended"] for p in report["phases"]) == intended)
check("picks of all weight rows add up", sum(w["requests"] for w in report["weights"]) == intended)
check("no pick ever one request off", all(w["max_prefix_deviation_requests"] < 1 and w["test"]["ok"] for w in report["weights"]))
check("two switches, no stale pick", [s["stale_picks"] for s in report["switches"]] == [0, 0])
check("latency has its n", report["latency_us"]["n"] > 0 and report["latency_us"]["p50"] > 0)
