import { durationMs } from './duration.js';
import { DefinitionInvalid } from './errors.js';
import type { CacheOptions, CacheScope } from './step-options.js';
import { cacheScopes } from './step-options.js';

/** How a step's results are cached, as JSON with every default filled in. */
export type CacheSpec = {
  /** Undefined: none is too old. */
  readonly ttlMs: number | undefined;
  readonly version: string | undefined;
  readonly scope: CacheScope;
};

type Cached = {
  readonly name: string;
  readonly network?: boolean;
  readonly cache?: boolean | CacheOptions;
};

/**
 * What a step says of its cache: false for never, undefined where it says nothing.
 * @throws DefinitionInvalid for a cache that could only mislead
 */
export function cacheSpec(
  { name, network = false, cache }: Cached,
  { inline }: { readonly inline: boolean },
): CacheSpec | false | undefined {
  if (cache === undefined || cache === false) return cache;
  const { ttl, version, scope = 'catalog', ...rest } = cache === true ? {} : cache;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new DefinitionInvalid(`Step \`${name}\` has the unknown option \`cache.${unknown}\`.`, {
      hint: 'Its options: ttl, version, scope.',
    });
  }
  if (!cacheScopes.includes(scope)) {
    throw new DefinitionInvalid(`Step \`${name}\` has the unknown cache.scope ${JSON.stringify(scope)}.`, {
      hint: `Use one of ${cacheScopes.join(', ')}.`,
    });
  }
  const ttlMs = ttl === undefined ? undefined : durationMs(ttl, `cache.ttl\` of step \`${name}`);
  if (ttlMs === 0) {
    throw new DefinitionInvalid(`Step \`${name}\` has a \`cache.ttl\` of 0.`, {
      hint: 'Give how long a result may be used, or leave `cache` out.',
    });
  }
  if (inline) {
    throw new DefinitionInvalid(`Step \`${name}\` has \`inline\` and \`cache\`.`, {
      hint: 'Looking a result up costs as much as short glue does: leave `cache` out.',
    });
  }
  if (network && ttlMs === undefined) {
    throw new DefinitionInvalid(
      `Step \`${name}\` has \`network\` and a \`cache\` without a ttl: what it reads there may change unseen.`,
      { hint: "Say how long a result may be used: `cache: { ttl: '1 day' }`." },
    );
  }
  return { ttlMs, version, scope };
}

/** The default of a configuration, for a step that says nothing of its cache. */
export type CacheDefault = { readonly default: boolean; readonly ttlMs: number | undefined };

/** How a loaded step is cached. A default never reaches what it could mislead: network without a ttl, inline. */
export function resolvedCache(
  said: CacheSpec | false | undefined,
  spec: { readonly network: boolean; readonly isolation: string },
  { default: on, ttlMs }: CacheDefault,
): CacheSpec | undefined {
  if (said !== undefined) return said === false ? undefined : said;
  if (!on || spec.isolation === 'inline' || (spec.network && ttlMs === undefined)) return undefined;
  return { ttlMs, version: undefined, scope: 'catalog' };
}
