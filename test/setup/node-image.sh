#!/usr/bin/env bash
# node:22-slim: pulled where a registry can be reached, else a stand-in from npm's node-linux-* package, this machine's npm and
# busybox. Prints the tag.
. "$(dirname "$0")/lib.sh"

version=22.23.3
tag=${1:-node:22-slim}
case $(uname -m) in x86_64) platform=x64 ;; aarch64) platform=arm64 ;; *) fail "no stand-in of $tag for $(uname -m)" ;; esac
key=node-1-$version-$platform
lock node-image
image_is_current "$tag" "$key" && { echo "$tag"; exit 0; }
pull_image "$tag" && { echo "$tag"; exit 0; }

say "making a stand-in from node-linux-$platform@$version"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "node-linux-$platform@$version" </dev/null >/dev/null && tar -xzf node-linux-*.tgz)
root=$work/root
mkdir -m 755 "$root"
install_busybox "$root"
finish_userland "$root"
install -m 755 "$work/package/bin/node" "$root/usr/local/bin/node"
copy_libraries "$root" "$root/usr/local/bin/node"
# Loaded by name when a host is looked up, so ldd does not show them.
for library in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
  cp -L "/lib/$(uname -m)-linux-gnu/$library" "$root/lib/$(uname -m)-linux-gnu/" 2>/dev/null || true
done
npm_home=$(npm root -g 2>/dev/null)/npm
if [ -d "$npm_home" ]; then
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -R "$npm_home" "$root/usr/local/lib/node_modules/npm"
  for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"; done
fi
import_image "$root" "$tag" "$key" -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' -c "ENV NODE_VERSION=$version" -c 'CMD ["node"]'
docker run --rm --network none "$tag" node -e '' || fail "the stand-in of $tag does not run node"
echo "$tag"
