import inspector from 'node:inspector';

/**
 * Opens this process to a debugger, waits until one is attached and stops it: the next that runs is the replay, in whose sources
 * breakpoints can be set.
 * @param at host:port of the inspector
 * @param onOpen told where it listens: `ws://127.0.0.1:9229/…`
 */
export function waitForDebugger(
  { host, port }: { readonly host: string; readonly port: number },
  onOpen: (url: string) => void,
): void {
  inspector.open(port, host);
  onOpen(inspector.url() ?? `ws://${host}:${port}`);
  inspector.waitForDebugger();
  // What is asked for.
  // eslint-disable-next-line no-debugger
  debugger;
}
