import { formatBytes } from '../sdk/bytes.js';
import { describeCheck } from '../sdk/gate.js';
import type { LineageNode, StepNode } from './graph.js';

/** What a node says of itself: the first line names it, the others are facts. */
export function nodeLabel(node: LineageNode): readonly [string, ...string[]] {
  switch (node.kind) {
    case 'artifact':
      return [`${node.artifact} ${node.name}`, `${formatBytes(node.size)}, ${shortDigest(node.digest)}`];
    case 'step':
      return [`step ${node.path}`, node.run, ...stepFacts(node)];
    case 'run':
      return [
        `run ${node.run}`,
        `${node.pipeline}, ${node.status}, build ${node.build}`,
        ...values(node.parameters),
      ];
    case 'version':
      return [
        `${node.name} version ${node.version}`,
        `registered ${node.at} in ${node.run}`,
        ...values(node.metrics),
      ];
    case 'alias':
      return [`${node.name}@${node.alias}`, `version ${node.version} since ${node.at}`];
    case 'gate':
      return [
        `gate ${node.gate}: ${node.outcome}`,
        ...Object.entries(node.checks).map(([name, check]) => describeCheck(name, check)),
      ];
    case 'approval':
      return [
        `approval ${node.gate}: ${node.status}`,
        ...(node.by === undefined ? [] : [`by ${node.by}, ${node.at}`]),
        ...(node.reason === undefined ? [] : [`"${node.reason}"`]),
      ];
    case 'upload':
      return ['uploaded', `given to ${node.runs.slice(0, 3).join(', ')}${node.runs.length > 3 ? ', …' : ''}`];
  }
}

function stepFacts(node: StepNode): readonly string[] {
  const { status, executor, image, imageReference, source, code, uri, supplied } = node;
  return [
    ...(supplied
      ? [
          `${supplied.skipped ? 'left out' : 'supplied by hand'} by ${supplied.by}, ${supplied.at}`,
          ...(supplied.reason === undefined ? [] : [`"${supplied.reason}"`]),
        ]
      : []),
    ...(status === 'completed' ? [] : [status]),
    ...(uri === undefined ? [] : [`from ${uri}`]),
    ...(image === undefined
      ? executor === undefined || executor === 'docker'
        ? []
        : [executor]
      : [`image ${imageReference === undefined ? '' : `${imageReference} `}${shortDigest(image)}`]),
    ...(source === undefined ? [] : [`source ${shortDigest(source)}`]),
    ...(code === undefined ? [] : [`code ${shortDigest(code)}`]),
    ...values(node.parameters),
  ];
}

const longest = 120;

function values(fields: Readonly<Record<string, unknown>>): readonly string[] {
  const text = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${shortValue(value)}`)
    .join(' ');
  if (text === '') return [];
  return [text.length > longest ? `${text.slice(0, longest)}…` : text];
}

function shortValue(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** `sha256:` and 12 digits: enough to be unique, and to be given back to a command. */
export const shortDigest = (digest: string): string => digest.slice(0, 'sha256:'.length + 12);
