/** Words of somebody else as the end of a sentence of ours: one full stop, no more. */
export const sentence = (text: string): string => `${text.trim().replace(/[.\s]+$/, '')}.`;
