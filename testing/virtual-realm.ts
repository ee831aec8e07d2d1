import type { Context } from 'node:vm';
import { createContext, runInContext, Script } from 'node:vm';
import { isMillraceError, UnknownPipeline } from '../sdk/errors.js';
import type { PipelineRuntime } from '../sdk/runtime.js';
import type { VirtualClock } from './virtual-clock.js';

/** A build's pipelines, each run in a world of its own: no state of one reaches another. */
export interface VirtualRealms extends Disposable {
  /**
   * Runs a pipeline's function to its end. Time and chance in it are virtual.
   * @param pipeline its name
   * @throws UnknownPipeline; else what the function throws
   */
  run(pipeline: string, input: unknown, runtime: PipelineRuntime): Promise<unknown>;
}

/** @param code the pipelines as one CommonJS file, Temporal-free, steps as proxies (`BuildRecord.nodeBundle`) */
export function virtualRealms(code: string, clock: VirtualClock): VirtualRealms {
  const script = new Script(`(() => {${code}\n})()`, { filename: 'pipelines' });
  const own = new WeakSet();
  /** A promise of a pipeline that failed before anybody waited for it is no failure of this process. */
  const ignoreOurs = (reason: unknown, promise: Promise<unknown>) => {
    const realm = Object.getPrototypeOf(promise) as object;
    if (!own.has(realm)) throw reason;
  };
  process.on('unhandledRejection', ignoreOurs);

  return {
    async run(pipeline, input, runtime) {
      const context = newContext(clock);
      own.add(runInContext('Promise.prototype', context) as object);
      script.runInContext(context);
      const installed = runInContext(bridgeCode, context) as Bridge;
      const found = installed(runtimeMethods, (name, args) => crossing(runtime, name, args), {
        info: JSON.stringify(runtime.info),
        pipeline,
      });
      if (!found) {
        throw new UnknownPipeline(`There is no pipeline \`${pipeline}\` in this build.`, {
          hint: 'It may have been renamed.',
        });
      }
      return found(JSON.stringify(input) ?? 'null');
    },
    [Symbol.dispose]: () => void process.off('unhandledRejection', ignoreOurs),
  };
}

const runtimeMethods = [
  'step', 'pipeline', 'fetchData', 'gate', 'approval', 'register', 'promote', 'sleep',
] as const satisfies readonly (keyof PipelineRuntime)[]; // prettier-ignore

type Crossed =
  | { readonly json: string | undefined }
  | { readonly error: Readonly<Record<string, unknown>>; readonly message: string };

/** Values and errors cross between realms as JSON, so that each has its own objects: `instanceof` holds in the pipeline. */
async function crossing(
  runtime: PipelineRuntime,
  name: (typeof runtimeMethods)[number],
  args: readonly unknown[],
): Promise<Crossed> {
  try {
    const method = runtime[name] as (...given: readonly unknown[]) => Promise<unknown>;
    return { json: JSON.stringify(await method(...args)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!isMillraceError(error)) return { error: {}, message };
    const { name: className, code, what, place, hint, fields } = error;
    return { error: { name: className, code, what, place, hint, fields }, message };
  }
}

type Bridge = (
  methods: typeof runtimeMethods,
  cross: (name: (typeof runtimeMethods)[number], args: readonly unknown[]) => Promise<Crossed>,
  about: { readonly info: string; readonly pipeline: string },
) => ((input: string) => Promise<unknown>) | undefined;

/** Runs inside the realm: puts the runtime behind the SDK's words, and finds the pipeline. */
const bridgeCode = `(methods, cross, about) => {
  const runtime = { info: JSON.parse(about.info) };
  for (const name of methods) {
    runtime[name] = async (...args) => {
      const { json, error, message } = await cross(name, args);
      if (error === undefined) return json === undefined ? undefined : JSON.parse(json);
      const thrown = Object.assign(new Error(message), JSON.parse(JSON.stringify(error)));
      throw error.code === undefined ? thrown : Object.assign(thrown, { [Symbol.for('millrace.error')]: true });
    };
  }
  globalThis[Symbol.for('millrace.runtime')] = runtime;
  for (const file of Object.values(module.exports))
    for (const value of Object.values(file)) {
      const definition = typeof value === 'function' ? value[Symbol.for('millrace.pipeline')] : undefined;
      if (definition?.name === about.pipeline)
        return async (input) => definition.body(definition.input.parse(JSON.parse(input)));
    }
}`;

/** What Temporal's sandbox offers beside the language: time, chance and timers are the clock's. */
function newContext(clock: VirtualClock): Context {
  const cancels = new Map<number, () => void>();
  let timer = 0;
  const exports = {};
  const context = createContext({
    exports,
    module: { exports },
    console: silentConsole,
    URL,
    URLSearchParams,
    TextEncoder,
    TextDecoder,
    AbortController,
    now: () => clock.now(),
    setTimeout: (ring: (...args: readonly unknown[]) => void, ms = 0, ...args: readonly unknown[]) => {
      timer += 1;
      cancels.set(
        timer,
        clock.after(ms, () => ring(...args)),
      );
      return timer;
    },
    clearTimeout: (id: number) => cancels.get(id)?.(),
  });
  runInContext(virtualTime, context);
  return context;
}

const silentConsole = Object.fromEntries(
  ['debug', 'error', 'info', 'log', 'trace', 'warn'].map((level) => [level, () => undefined]),
);

const virtualTime = `{
  const { now } = globalThis;
  delete globalThis.now;
  const Real = Date;
  globalThis.Date = class Date extends Real {
    constructor(...args) { super(...(args.length === 0 ? [now()] : args)); }
    static now() { return now(); }
  };
  let state = 1;
  Math.random = () => {
    state = (Math.imul(state, 48271) >>> 0) % 2147483647 || 1;
    return state / 2147483647;
  };
}`;
