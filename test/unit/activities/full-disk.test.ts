import { refuseFullDisk } from '../../../activities/full-disk.js';

const disk = (free: number, share: number, wasFull = false) => ({
  folder: '/attempts/train/1',
  free,
  share,
  wasFull,
});
const words = ['sh: write error: No space left on device'];

describe('a program that failed', () => {
  test.each([
    ['on a disk without a mebibyte left', disk(1_000, 0.0001), []],
    ['on a nearly full disk, saying so', disk(5e9, 0.005), words],
    ['saying so, on a disk that was full meanwhile', disk(5e9, 0.5, true), words],
  ])('%s is not to blame', (_where, state, lastWords) => {
    expect(() => refuseFullDisk(state, lastWords)).toThrow(
      expect.objectContaining({
        code: 'INFRASTRUCTURE_FAILED',
        message: expect.stringContaining('The step failed while the disk of /attempts/train/1 was full.'),
      }),
    );
  });

  test.each([
    ['on a nearly full disk, saying something else', disk(5e9, 0.005), ['no']],
    ['where its own memory disk was full', disk(5e9, 0.5), words],
    ['on a disk that was full meanwhile, saying something else', disk(5e9, 0.5, true), ['no']],
    ['on a disk that cannot be asked', undefined, words],
  ])('%s is', (_where, state, lastWords) => {
    expect(() => refuseFullDisk(state, lastWords)).not.toThrow();
  });
});
