#!/usr/bin/env bash
# Prints the path of a `temporal` executable: on PATH, in the cache, or built from its Go module (6 to 8 minutes on two cores, once).
. "$(dirname "$0")/lib.sh"

version=v$(sed -n 's/^cli=//p' "$(dirname "$0")/../../deploy/temporal.version")
needed_go=1.25.0   # the `go` line of that version's go.mod

command -v temporal && exit 0
binary=$cache/bin/temporal-$version
[ -x "$binary" ] && { echo "$binary"; exit 0; }
lock temporal
[ -x "$binary" ] && { echo "$binary"; exit 0; }

go_install "github.com/temporalio/cli/cmd/temporal@$version" temporal "$needed_go" "$binary"
echo "$binary"
