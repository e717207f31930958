"""CPU time for one proxied request: this gateway beside nginx and haproxy, in one interleaved run.

Usage: peers.py [--rounds N] [--seconds S] [--rate R] [--headers] [--proxy PATH]

Each proxy has one worker on the first core; the generator and one very cheap target (nginx, a 100-byte answer) have the
second. The generator is wrk, flat out in a closed loop on 64 kept-alive connections; with --rate it is h2load at so many
requests a second in all. h2load sends in bursts, one request on each connection, which is cheaper to serve than an even pace;
it is the same for all. This gateway has health checks, passive and active, switched on. It always adds the header fields
that Kong adds; with --headers the others are told to do the same, without it they forward what they get. What is compared
is the CPU time the proxy's own process used, read from the scheduler in nanoseconds, divided by the requests answered. Only
ratios within one round mean anything: absolute figures belong to the machine. nginx runs twice; the second against the
first is the noise.

Needs nginx, haproxy, wrk and (for --rate) h2load from the distribution, and the example proxy:
    cargo build --release -p gateway-core --example proxy
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# One target under two names, so that a balancer has something to choose.
TARGETS = ("127.0.0.1:18081", "127.0.0.2:18081")
PORTS = {"nginx": 18082, "nginx again": 18083, "haproxy": 18084, "gateway-core": 18085}
PROXY_CORE, OTHER_CORE = "0", "1"
CONNECTIONS = 64

NGINX_TARGET = """
daemon off; worker_processes 1; pid {dir}/target.pid; error_log {dir}/target.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;
  fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{ listen 127.0.0.1:18081; listen 127.0.0.2:18081; location / {{ return 200 "{body}"; }} }}
}}
"""

NGINX_PROXY = """
daemon off; worker_processes 1; pid {dir}/{port}.pid; error_log {dir}/{port}.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}/{port}1; proxy_temp_path {dir}/{port}2;
  fastcgi_temp_path {dir}/{port}3; uwsgi_temp_path {dir}/{port}4; scgi_temp_path {dir}/{port}5;
  upstream blue {{ server {a}; server {b}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://blue; proxy_http_version 1.1; proxy_set_header Connection ""; {headers} }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 1024
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:{port}
  default_backend blue
backend blue
  balance roundrobin
{headers}
  http-reuse always
  server a {a}
  server b {b}
"""

NGINX_HEADERS = """
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Path $uri;
      proxy_set_header Via "1.1 nginx"; proxy_set_header X-Request-Id $request_id;
      add_header Via "1.1 nginx"; add_header X-Upstream-Latency $upstream_header_time;
      add_header X-Proxy-Latency $request_time; add_header X-Request-Id $request_id;
"""

HAPROXY_HEADERS = """
  http-request set-var(txn.id) uuid()
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Path %[path]
  http-request set-header Via "1.1 haproxy"
  http-request set-header X-Request-Id %[var(txn.id)]
  http-response set-header Via "1.1 haproxy"
  http-response set-header X-Upstream-Latency %Tr
  http-response set-header X-Proxy-Latency %Tw
  http-response set-header X-Request-Id %[var(txn.id)]
"""


def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def steal():
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(n) for n in file.readline().split()[1:]]
    return ticks[7], sum(ticks)


def worker_of(process):
    """The process that does the work: nginx's only child, else the process itself."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return int(children[0]) if children else process.pid


def start(core, *command):
    return subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wrk(url, seconds):
    out = run("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url)
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{url} failed requests:\n{out}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def h2load(url, seconds, rate):
    each = max(1, round(rate / CONNECTIONS))
    out = run("h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds}", f"--rps={each}", url)
    if not re.search(r" 0 failed, 0 errored, 0 timeout", out):
        sys.exit(f"{url} failed requests:\n{out}")
    return int(re.search(r"(\d+) succeeded", out).group(1))


def run(*command):
    return subprocess.run(["taskset", "-c", OTHER_CORE, *command], capture_output=True, text=True, check=True).stdout


def span(ratios):
    return f"{statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rate", type=int, help="requests a second; flat out without it")
    parser.add_argument("--headers", action="store_true", help="the others add header fields too")
    parser.add_argument("--proxy", default="target/release/examples/proxy")
    arguments = parser.parse_args()
    for tool in ("nginx", "haproxy", "h2load" if arguments.rate else "wrk", "taskset", arguments.proxy):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing")

    folder = tempfile.mkdtemp()
    processes = []

    def load(port, seconds):
        url = f"http://127.0.0.1:{port}/"
        return h2load(url, seconds, arguments.rate) if arguments.rate else wrk(url, seconds)

    def write(name, text, **values):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(dir=folder, a=TARGETS[0], b=TARGETS[1], **values))
        return path

    try:
        processes.append(start(OTHER_CORE, "nginx", "-c", write("target.conf", NGINX_TARGET, body="x" * 100)))
        proxies = {}
        for name in ("nginx", "nginx again"):
            path = write(f"{PORTS[name]}.conf", NGINX_PROXY, port=PORTS[name], headers=NGINX_HEADERS if arguments.headers else "")
            proxies[name] = start(PROXY_CORE, "nginx", "-c", path)
        path = write("haproxy.cfg", HAPROXY, port=PORTS["haproxy"], headers=HAPROXY_HEADERS if arguments.headers else "")
        proxies["haproxy"] = start(PROXY_CORE, "haproxy", "-db", "-f", path)
        proxies["gateway-core"] = start(PROXY_CORE, arguments.proxy, f"127.0.0.1:{PORTS['gateway-core']}", *TARGETS)
        processes.extend(proxies.values())
        time.sleep(1)
        for name in proxies:
            load(PORTS[name], 1)

        names = list(proxies)
        cost = {name: [] for name in names}
        for turn in range(arguments.rounds):
            stolen, ticks = steal()
            for name in names[turn % len(names):] + names[: turn % len(names)]:
                pid = worker_of(proxies[name])
                before = cpu_ns(pid)
                requests = load(PORTS[name], arguments.seconds)
                cost[name].append((cpu_ns(pid) - before) / requests / 1000)
            stolen_now, ticks_now = steal()
            share = (stolen_now - stolen) / max(1, ticks_now - ticks)
            print(f"round {turn + 1}: steal {share:.1%}  " + "  ".join(f"{n} {cost[n][-1]:.1f} us" for n in names))

        print(f"\n{'':14}  us/request   x nginx (median, range of rounds)   x haproxy")
        for name in names:
            beside = "   ".join(span([mine / other for mine, other in zip(cost[name], cost[peer])]) for peer in ("nginx", "haproxy"))
            print(f"{name:14}  {statistics.median(cost[name]):10.1f}   {beside}")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=5)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
