"""Reads the compare.json of scenarios/balancers.toml as an outside program would: the ranking is that of the literature.

Usage: check_ranking.py COMPARE
"""

import json
import sys

comparison = json.load(open(sys.argv[1], encoding="utf-8"))
figure = comparison["figures"].index(comparison["rank_by"])
runs = comparison["valid"], comparison["degraded"], comparison["invalid"]
if runs != (360, 0, 0):
    sys.exit(f"runs that are VALID, DEGRADED, INVALID: {runs}")
for condition in comparison["conditions"]:
    rows = {row["name"]: row for row in condition["rows"]}
    words = {name: row["against"][figure] and row["against"][figure]["word"] for name, row in rows.items()}
    print(condition["name"], [f"{row['rank']} {row['name']}" for row in condition["rows"]])
    # Who looks at queues is ahead of who takes turns; hashing, which looks at neither queues nor latency, is not.
    ahead = all(words[name] == "better" for name in ("peak-ewma", "least-connections", "two-choices"))
    last = max(row["rank"] for row in condition["rows"])
    behind = rows["smooth-wrr"]["rank"] == rows["consistent-hashing"]["rank"] == last
    if rows["peak-ewma"]["rank"] != 1 or not ahead or not behind:
        sys.exit(f"{condition['name']}: {words}")
