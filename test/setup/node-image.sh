#!/usr/bin/env bash
# node:22-slim: pulled where a registry can be reached, else a stand-in from npm's node-linux-* package, this machine's npm and
# busybox. Prints the tag.
. "$(dirname "$0")/lib.sh"

version=22.23.3
tag=${1:-node:22-slim}
case $(uname -m) in x86_64) platform=x64 ;; aarch64) platform=arm64 ;; *) fail "no stand-in of $tag for $(uname -m)" ;; esac
key=node-2-$version-$platform
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
# All of libc and the C++ runtime: packages with native parts want more of it than node itself.
dpkg -L libc6 libgcc-s1 libstdc++6 | grep -E '^/(usr/)?lib/[^/]+-linux-gnu/[^/]+\.so\.[0-9.]+$' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
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
