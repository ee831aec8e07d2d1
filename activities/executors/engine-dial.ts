import http from 'node:http';
import https from 'node:https';
import { inspect } from 'node:util';
import type Docker from 'dockerode';

/** A call that dockerode has no word for. */
export type EngineRequest = {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly isStream?: boolean;
  readonly abortSignal: AbortSignal;
};

/** @returns the answer's JSON, or its stream */
export const engineDial = <T>(modem: object, request: EngineRequest): Promise<T> =>
  new Promise((resolve, reject) => {
    const statusCodes = { 200: true, 400: 'bad parameter', 404: 'no such container', 500: 'server error' };
    (modem as unknown as Dialling).dial({ ...request, statusCodes }, (error, answer) =>
      error ? reject(error) : resolve(answer as T),
    );
  });

/**
 * Whether the engine takes calls now. Asked on a connection of its own: one that is going down still answers on those that it has.
 */
export async function takesCalls(modem: Docker['modem']): Promise<boolean> {
  const { protocol } = modem as unknown as { readonly protocol?: string };
  const agent = shortlyInspected(protocol === 'https' ? new https.Agent() : new http.Agent());
  const fresh = Object.assign(Object.create(modem) as object, { agent });
  const abortSignal = AbortSignal.timeout(answerMs);
  return engineDial(fresh, { path: '/_ping', method: 'GET', abortSignal }).then(
    () => true,
    () => false,
  );
}

/** docker-modem inspects all that a call has, to any depth, even if nobody reads it: of an agent's sockets that would take seconds. */
const shortlyInspected = <T extends object>(agent: T): T =>
  Object.defineProperty(agent, inspect.custom, { value: () => 'Agent' });

const answerMs = 5_000;

/** Whether containers outlive the engine's restarts. */
export async function hasLiveRestore(modem: Docker['modem']): Promise<boolean> {
  const abortSignal = AbortSignal.timeout(answerMs);
  const info = await engineDial<{ readonly LiveRestoreEnabled?: boolean }>(modem, {
    path: '/info',
    method: 'GET',
    abortSignal,
  });
  return info.LiveRestoreEnabled === true;
}

type Dialling = {
  dial(
    options: Readonly<Record<string, unknown>>,
    done: (error: Error | null, answer: unknown) => void,
  ): void;
};
