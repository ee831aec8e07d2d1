#!/usr/bin/env bash
# A Docker engine that answers: found, or Debian's docker.io installed and started. Prints the engine's version.
# The engine stays up after the tests, with live-restore, so that the next run finds it.
. "$(dirname "$0")/lib.sh"

answers() { docker version -f '{{.Server.Version}}' 2>/dev/null; }
answers && exit 0
lock docker
answers && exit 0

[ -z "${DOCKER_HOST:-}" ] || fail "no engine answers at DOCKER_HOST=$DOCKER_HOST; start it or unset DOCKER_HOST"
command -v dockerd >/dev/null || apt_install docker.io iptables
command -v docker >/dev/null || apt_install docker-cli

# A pid file left by a machine that was copied or switched off may name a process that is something else now; dockerd would give up.
for pair in /var/run/docker.pid:dockerd /var/run/docker/containerd/containerd.pid:containerd; do
  file=${pair%%:*} program=${pair##*:}
  [ ! -e "$file" ] || [ "$(cat "/proc/$(cat "$file")/comm" 2>/dev/null)" = "$program" ] || rm -f "$file"
done

say 'starting the engine'
log=$cache/log/dockerd.log
if [ -d /run/systemd/system ]; then
  systemctl start docker >>"$log" 2>&1 9>&- || true
else
  setsid dockerd --live-restore >"$log" 2>&1 </dev/null 9>&- &
fi
for _ in $(seq 120); do answers && exit 0; sleep 0.5; done
tail -n 20 "$log" >&2
fail "dockerd did not answer within 60 s: $log"
