#!/usr/bin/env bash
# A Slurm cluster of one node on loopback, with everything it writes in one folder:
#     tests/cluster/start_slurm.sh FOLDER
#     tests/cluster/start_slurm.sh FOLDER stop
# Needs root and Debian's slurm-wlm and munge, and a machine that has no /etc/slurm/slurm.conf of its own: while the
# cluster lives, a link stands there, because jobs do not inherit SLURM_CONF.
set -euo pipefail
folder=$(realpath -m "$1")
link=/etc/slurm/slurm.conf

stop() {
  for name in slurmd slurmctld munged; do
    [ -f "$folder/$name.pid" ] || continue
    pid=$(cat "$folder/$name.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do  # a daemon writes its state on the way out; the folder is removed next
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
  if [ "$(readlink "$link")" = "$folder/slurm.conf" ]; then rm "$link"; fi
}
if [ "${2:-}" = stop ]; then
  stop
  exit
fi

if [ -e "$link" ]; then
  echo "There is a cluster here already ($link)." >&2
  exit 1
fi
mkdir -p "$folder"/{ctld,slurmd}
chmod 755 "$folder"
host=$(hostname -s)
cores=$(nproc)
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
cat > "$folder/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/ctld
SlurmdSpoolDir=$folder/slurmd
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
ReturnToService=2
MinJobAge=600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
ln -sfn "$folder/slurm.conf" "$link"
trap 'stop; tail -n 20 "$folder"/*.log >&2' ERR
munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
slurmctld
slurmd -N "$host"
for _ in $(seq 60); do
  if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then
    exit
  fi
  sleep 1
done
echo "The node did not come up." >&2
false
