"""Fails unless two report.json files are the same, apart from what is volatile and the command that names their folder."""

import json
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    report.pop("volatile")
    return json.dumps(report)


one, two = (read(path) for path in sys.argv[1:3])
sys.exit(0 if one == two else "the same seed gave two different reports")
