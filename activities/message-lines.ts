import type { StepEvent } from '../sdk/step-contract.js';

/** A step's message as lines of its log: `<ISO time> out <level>: <text> <fields>`. */
export function messageLines({
  level,
  text,
  fields,
  at,
}: Extract<StepEvent, { type: 'message' }>): readonly string[] {
  const said = new Date(at ?? Date.now());
  const time = (Number.isNaN(said.valueOf()) ? new Date() : said).toISOString();
  const words = `${level}: ${text}${fields ? ` ${JSON.stringify(fields)}` : ''}`;
  return words.split('\n').map((line) => `${time} out ${line}`);
}
