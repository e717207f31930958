#!/usr/bin/env bash
# A cluster of one node on this machine, for one job array: munged, slurmctld and slurmd in the foreground of this script,
# in a scratch folder, on loopback; then the recipe of SHARDS.md. All of them end with it. Needs root, as slurmd does.
# Usage: slurm.sh SIM SCENARIO SHARDS
set -euo pipefail
sim=$1 scenario=$2 shards=$3
S=$(mktemp -d) host=$(hostname -s)
chmod 755 "$S"
daemons=()
end() {
  if [ ${#daemons[@]} -gt 0 ]; then kill "${daemons[@]}" 2>/dev/null || true; wait "${daemons[@]}" 2>/dev/null || true; fi
  rm -rf "$S"
}
trap end EXIT

mkdir "$S/state" "$S/spool"
head -c 128 /dev/urandom > "$S/munge.key"
chmod 600 "$S/munge.key"
cat > "$S/slurm.conf" <<CONF
ClusterName=t
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$S/munge.sock
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool
SlurmctldPidFile=$S/slurmctld.pid
SlurmdPidFile=$S/slurmd.pid
SlurmctldLogFile=$S/slurmctld.log
SlurmdLogFile=$S/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 CoresPerSocket=2 RealMemory=1000 State=UNKNOWN
PartitionName=sim Nodes=$host Default=YES State=UP
CONF
# Nothing here uses cgroups, but slurmd does not start without being told of them.
version=v1
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then version=v2; fi
printf 'CgroupPlugin=cgroup/%s\nCgroupAutomount=no\nCgroupMountpoint=/sys/fs/cgroup\n' "$version" > "$S/cgroup.conf"
export SLURM_CONF=$S/slurm.conf

munged --force --foreground --key-file="$S/munge.key" --socket="$S/munge.sock" --pid-file="$S/munge.pid" \
  --log-file="$S/munge.log" --seed-file="$S/munge.seed" 2>/dev/null & daemons+=($!)
slurmctld -c -D >/dev/null 2>&1 & daemons+=($!)
slurmd -c -D >/dev/null 2>&1 & daemons+=($!)

# Without a node, `sbatch --wait` would wait for ever.
for _ in $(seq 100); do
  state=$(timeout 5 sinfo -h -o %T 2>/dev/null || true)
  if [ "$state" = idle ]; then break; fi
  sleep 0.2
done
if [ "$state" != idle ]; then
  echo "the node is '$state', not idle" >&2
  tail -n 5 "$S"/*.log >&2
  exit 1
fi
timeout 120 sbatch --wait --array=1-3 --ntasks=1 --output="$S/%a.out" \
  --wrap "'$sim' compare '$scenario' --shard \$SLURM_ARRAY_TASK_ID/3 --out '$shards' --quiet" >&2 || { cat "$S"/*.out >&2; exit 1; }
