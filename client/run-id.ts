import { randomBytes } from 'node:crypto';

const alphabet = 'abcdefghjkmnpqrstvwxyz0123456789';

/** `mortgage-20261124-093012-k7x2`: sorts by time, names its pipeline, can be typed. @param now UTC */
export function newRunId(pipeline: string, now = new Date()): string {
  const [date = '', time = ''] = now.toISOString().replaceAll(/[-:]/g, '').split('T');
  const random = [...randomBytes(4)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return `${pipeline}-${date}-${time.slice(0, 6)}-${random}`;
}
