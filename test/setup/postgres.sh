#!/usr/bin/env bash
# PostgreSQL's programs: on PATH, or Debian's postgresql, whose own cluster is left alone. Prints the folder of initdb and postgres.
. "$(dirname "$0")/lib.sh"

# The newest there is; the programs of a server are not on PATH in Debian.
programs() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$found" ] || found=$(dirname "$(command -v initdb 2>/dev/null || echo none/none)")
  [ -x "$found/initdb" ] && [ -x "$found/postgres" ] && echo "$found"
}
programs && exit 0
lock postgres
programs && exit 0

# Its package would make and start a cluster of its own, which nothing here uses.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt_install postgresql
programs || fail 'the package postgresql brought no initdb'
