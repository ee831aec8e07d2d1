const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls back when this process ends, by itself or by a signal that nobody else handles; where somebody does, that decides
 * when the end is. Not at SIGKILL.
 * @returns undoes it
 */
export function onProcessEnd(callback: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    if (process.listenerCount(signal) > 1) return;
    undo();
    callback();
    process.kill(process.pid, signal);
  };
  const undo = () => {
    process.off('exit', callback);
    for (const signal of signals) process.off(signal, onSignal);
  };
  process.on('exit', callback);
  for (const signal of signals) process.on(signal, onSignal);
  return undo;
}
