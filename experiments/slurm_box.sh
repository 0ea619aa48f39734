#!/bin/sh
# SLURM on this one machine, for trying sweeps and for `make test-slurm`.  Debian, as root; no systemd and no accounting needed.
set -eu

cpus=$(nproc)
memory=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) * 9 / 10240))
host=$(hostname -s)

cat <<EOF
make slurm-box sets SLURM up on this machine ($host, $cpus processors, $memory MB).  It will
  1. install slurm-wlm and munge with apt-get;
  2. write /etc/slurm/slurm.conf (an existing one is kept as slurm.conf.before): one node, one partition called debug;
  3. make the folders that munge and slurm need under /run, /var/lib, /var/log and /var/spool;
  4. start munged, slurmctld and slurmd.
To undo it: kill those three, and apt-get purge slurm-wlm munge.
EOF

[ "$(id -u)" = 0 ] || { echo "error: installing and starting SLURM needs root; as root: make slurm-box" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "error: there is no apt-get here; these steps are for Debian" >&2; exit 1; }

if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null || ! command -v munged >/dev/null; then
  apt-get -q update
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 install slurm-wlm munge
fi

install -d -o munge -g munge -m 0755 /run/munge
install -d -o munge -g munge -m 0700 /var/log/munge /var/lib/munge
install -d -o slurm -g slurm /var/spool/slurmctld /var/log/slurm /run/slurm
install -d /var/spool/slurmd

if [ -f /etc/slurm/slurm.conf ] && ! grep -q '^ClusterName=onebox$' /etc/slurm/slurm.conf; then
  mv /etc/slurm/slurm.conf /etc/slurm/slurm.conf.before
fi
# cred_expire: a job that was put back into the queue may start again after this many seconds (by default 120)
cat > /etc/slurm/slurm.conf <<EOF
ClusterName=onebox
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=cred_expire=15
SlurmUser=slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF

pgrep -x munged >/dev/null || runuser -u munge -- /usr/sbin/munged
pgrep -x slurmctld >/dev/null || /usr/sbin/slurmctld
pgrep -x slurmd >/dev/null || /usr/sbin/slurmd

for _ in $(seq 30); do
  sinfo -h -o %t 2>/dev/null | grep -Eq '^(idle|mix|alloc)' && { sinfo; exit 0; }
  sleep 1
done
echo "error: the node is not up after 30 seconds; see /var/log/slurm" >&2
exit 1
