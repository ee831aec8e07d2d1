import { Command } from 'commander';
import type { ModelRecord } from '../../store/catalog.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { withClient } from '../open-client.js';
import { formatNumber, formatTime } from '../render/format.js';
import type { Cell } from '../render/table.js';
import { tableRows } from '../render/table.js';
import { sayRows } from '../say-rows.js';

export const modelsCommand = (): Command =>
  new Command('models')
    .summary('list registered models, or the versions of one')
    .description('Lists registered models with their aliases; with a name, the versions of that model.')
    .argument('[name]', 'name of a model')
    .addHelpText('after', examples([['millrace models'], ['millrace models mortgage --json']]))
    .action(
      action<readonly [string | undefined]>(async ({ args: [name], output }) =>
        withClient(async ({ client }) => {
          if (name !== undefined) {
            const model = await client.model(name);
            output.answer(model);
            if (!output.json) sayRows(versionTable(model), output);
            return exitCodes.ok;
          }
          const models = await client.models();
          output.answer({ models });
          if (models.length === 0) output.note('No model is registered yet.');
          else if (!output.json) sayRows(modelTable(models), output);
          return exitCodes.ok;
        }),
      ),
    );

const modelTable = (models: readonly ModelRecord[]) =>
  tableRows(
    ['MODEL', 'VERSIONS', 'ALIASES'],
    models.map(({ name, versions, aliases }): readonly Cell[] => [
      { text: name, style: 'bold' },
      { text: String(versions.length) },
      { text: aliases.map(({ alias, version }) => `${alias}=${version}`).join(' '), style: 'green' },
    ]),
  );

const versionTable = ({ versions, aliases }: ModelRecord) =>
  tableRows(
    ['VERSION', 'ALIASES', 'MADE', 'RUN', 'METRICS'],
    [...versions]
      .sort((a, b) => b.version - a.version)
      .map(({ version, createdAt, run, metrics }): readonly Cell[] => [
        { text: String(version), style: 'bold' },
        {
          text: aliases.filter((alias) => alias.version === version).map(({ alias }) => alias).join(' '),
          style: 'green',
        }, // prettier-ignore
        { text: formatTime(createdAt), style: 'dim' },
        { text: run },
        { text: Object.entries(metrics).map(([key, value]) => `${key}=${formatNumber(value)}`).join(' ') }, // prettier-ignore
      ]),
  );
