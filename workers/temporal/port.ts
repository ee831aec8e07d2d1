import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const loopback = '127.0.0.1';

/** The port that was asked for, when nothing listens on it; without one any free port. Undefined when it is taken. */
export async function freePort(port = 0): Promise<number | undefined> {
  const server = createServer().listen(port, loopback);
  try {
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
