// `node test/setup/complete-lock.mjs`, after dependencies were changed: `npm install` leaves out of package-lock.json the optional packages
// that its registry does not have (a mirror may carry those of one platform only), and `npm ci` then refuses the lock everywhere.
// This writes their entries from their names, and takes out addresses, so that the lock serves any registry.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(import.meta.dirname, '../../package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));

for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (!isLocked(path, name)) lock.packages[`node_modules/${name}`] = entry(name, version, dev);
  }
}
for (const described of Object.values(lock.packages)) delete described.resolved;
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);

/** Looked for as Node would: beside the package that wants it, then further up. */
function isLocked(path, name) {
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    if (lock.packages[folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`]) return true;
    if (!folder.includes('/node_modules/')) return lock.packages[`node_modules/${name}`] !== undefined;
  }
}

function entry(name, version, dev) {
  const found =
    /(darwin|win32|linux|freebsd|android|openharmony)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|loong64)(-musl|-gnu)?/.exec(
      name,
    );
  if (!found || !/^\d/.test(version))
    throw new Error(
      `${name}@${version} is not named after one platform and version; install it from a full registry`,
    );
  const [, os, cpu, libc] = found;
  return {
    version,
    cpu: [cpu],
    ...(dev && { dev }),
    ...(os === 'linux' && libc && { libc: [libc === '-musl' ? 'musl' : 'glibc'] }),
    optional: true,
    os: [os],
  };
}
