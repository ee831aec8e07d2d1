import { refuseFullDisk } from '../../../activities/full-disk.js';

const disk = (free: number, share: number) => ({ folder: '/work/train/1', free, share });
const words = ['sh: write error: No space left on device'];

describe('a program that failed', () => {
  test.each([
    ['on a disk without a mebibyte left', disk(1_000, 0.0001), { lastWords: [], unseen: false }],
    ['on a nearly full disk, saying so', disk(5e9, 0.005), { lastWords: words, unseen: false }],
    ['saying so, before anybody looked', disk(5e9, 0.5), { lastWords: words, unseen: true }],
  ])('%s is not to blame', (_where, state, how) => {
    expect(() => refuseFullDisk(state, how)).toThrow(
      expect.objectContaining({
        code: 'INFRASTRUCTURE_FAILED',
        message: expect.stringContaining('The step failed while the disk of /work/train/1 was full.'),
      }),
    );
  });

  test.each([
    ['on a nearly full disk, saying something else', disk(5e9, 0.005), { lastWords: ['no'], unseen: false }],
    ['where its own memory disk was full', disk(5e9, 0.5), { lastWords: words, unseen: false }],
    ['before anybody looked, saying something else', disk(5e9, 0.5), { lastWords: ['no'], unseen: true }],
    ['on a disk that cannot be asked', undefined, { lastWords: words, unseen: true }],
  ])('%s is', (_where, state, how) => {
    expect(() => refuseFullDisk(state, how)).not.toThrow();
  });
});
