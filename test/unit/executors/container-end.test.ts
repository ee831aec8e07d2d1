import type Docker from 'dockerode';
import { endOfUnwatched } from '../../../activities/executors/container-end.js';
import { bootedAt, upSince } from '../../../activities/executors/up-since.js';
import { fakeEngine } from '../../support/fake-engine.js';

type State = Docker.ContainerInspectInfo['State'];

const since = Date.parse('2026-01-02T00:00:00Z');
/** Ended a little before the host was started again. */
const ended = (given: Partial<State>) =>
  ({
    ExitCode: 1,
    OOMKilled: false,
    StartedAt: '2026-01-01T00:00:00Z',
    FinishedAt: '2026-01-01T23:59:30Z',
    ...given,
  }) as State;
const after = { FinishedAt: '2026-01-02T00:00:10Z' };

function endOf(given: Partial<State>, timeoutMs = 86_400_000) {
  try {
    return endOfUnwatched(ended(given), timeoutMs, since);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a program that nobody saw end', () => {
  test.each<[string, Partial<State>, string]>([
    ['that failed before its host started again, told to end perhaps, is lost', {}, 'ATTEMPT_LOST'],
    ['whose end the engine did not see either is lost', { ExitCode: 255, ...after }, 'ATTEMPT_LOST'],
    ['that failed since is its author’s failure', after, 'exited'],
    ['that was started and failed since is its author’s failure', { StartedAt: '2026-01-02T00:00:05Z', ...after, ExitCode: 255 }, 'exited'],
    ['that succeeded before that has its result', { ExitCode: 0 }, 'exited'],
    ['that was killed before that was stopped from outside', { ExitCode: 137 }, 'stopped-outside'],
    ['that ran out of memory before that did so', { ExitCode: 137, OOMKilled: true }, 'out-of-memory'],
  ])('%s', (_, given, reason) => {
    expect(endOf(given)).toBe(reason);
  }); // prettier-ignore

  test('is told by the start of this host where no other is known', () => {
    const lately = { StartedAt: new Date(bootedAt() + 1_000).toISOString(), FinishedAt: new Date().toISOString() };
    expect(endOfUnwatched(ended(lately), 86_400_000)).toBe('exited');
    expect(() => endOfUnwatched(ended({ FinishedAt: '2026-01-01T01:00:00Z' }), 86_400_000)).toThrow(
      expect.objectContaining({ code: 'ATTEMPT_LOST' }),
    );
  }); // prettier-ignore
});

describe('what containers outlive', () => {
  const later = new Date(bootedAt() + 60_000).toISOString();
  const engine = (Created: string, LiveRestoreEnabled: boolean) =>
    fakeEngine({
      'GET /networks/bridge': { status: 200, json: { Created } },
      'GET /info': { status: 200, json: { LiveRestoreEnabled } },
    });

  test('is no restart of an engine without live-restore', async () => {
    const { docker } = await engine(later, false);
    expect(await upSince(docker.modem)).toBe(Date.parse(later));
  });

  test('is a restart of one with live-restore, but none of the host', async () => {
    const { docker } = await engine(later, true);
    expect(Math.abs((await upSince(docker.modem)) - bootedAt())).toBeLessThan(1_000);
  });

  test('is told by the host alone where the engine has no bridge, or is older than its last start', async () => {
    const without = await fakeEngine({ 'GET /networks/bridge': { status: 404, json: { message: 'none' } } });
    const earlier = await engine('2020-01-01T00:00:00Z', false);
    for (const { docker } of [without, earlier])
      expect(Math.abs((await upSince(docker.modem)) - bootedAt())).toBeLessThan(1_000);
  });
});
