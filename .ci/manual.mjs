// Makes the manual pages from what the program itself says: director(1) from its command line's own help, and
// dom0-director.yaml(5) from the schema of its configuration; dom0-director(8) is written by hand. Needs tsc's output.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');

/** Roff by file name. */
export async function manual() {
  const { version } = JSON.parse(read('package.json'));
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? Date.now() / 1000);
  const date = new Date(seconds * 1000).toISOString().slice(0, 10);
  const title = (name, section, what) =>
    `.TH ${name} ${section} ${date} "Dom0 Director ${version}" "${what}"\n`;
  return {
    'director.1': title('DIRECTOR', 1, 'User Commands') + (await commandsPage(version)),
    'dom0-director.8':
      title('DOM0\\-DIRECTOR', 8, 'System Administration') + read('rules/debian/dom0-director.8.in'),
    'dom0-director.yaml.5': title('DOM0\\-DIRECTOR.YAML', 5, 'File Formats') + (await configurationPage()),
  };
}

async function commandsPage(version) {
  const { buildProgram } = await import(new URL('dist/cli/program.js', root));
  const nobody = { write: () => true };
  const io = { stdout: nobody, stderr: nobody, env: {} };
  const { program } = buildProgram(io, { version }, []);
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  return [
    section('NAME', 'director \\- switch services between their two guests'),
    section('SYNOPSIS', `.B director\n.RI [ options ]\n.I command\n.RI [ arguments ]`),
    section('DESCRIPTION', paragraphs([program.description(), DESCRIPTION])),
    section('OPTIONS', 'Of all commands:\n' + options(help.visibleOptions(program))),
    section('COMMANDS', commands.map((command) => oneCommand(command, '')).join('')),
    section(
      'EXIT STATUS',
      [
        ['0', 'done'],
        ['1', 'refused, or failed'],
        ['2', 'bad usage'],
        ['3', 'no daemon was reached'],
      ]
        .map(([code, means]) => item(code, means))
        .join(''),
    ),
    section(
      'ENVIRONMENT',
      [
        ['DIRECTOR_SOCKET', "where the daemon's socket is"],
        ['DIRECTOR_TOKEN', 'the token for \\-\\-url'],
        ['NO_COLOR', 'no colours'],
      ]
        .map(([name, means]) => item(name, means, true))
        .join(''),
    ),
    section(
      'FILES',
      item('/run/dom0-director/director.sock', "the daemon's socket; the group dom0-director may use it"),
    ),
    section('SEE ALSO', '.BR dom0\\-director (8),\n.BR dom0\\-director.yaml (5)'),
  ].join('');
}

const DESCRIPTION =
  'Most commands are requests to the daemon, dom0-director(8), over its unix socket or, with --url, over the network.';

/** With what stands after its help: commander tells that only to who prints it. */
function oneCommand(command, before) {
  const help = command.createHelp();
  const name = `${before}${command.name()}`;
  const children = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  const after = [];
  command.emit('afterHelp', { error: false, command, write: (text) => after.push(text) });
  const words = command.registeredArguments.filter((each) => each.description !== '');
  return [
    `.SS ${quoted(`director ${name}${command.registeredArguments.map(shown).join('')}`)}\n`,
    paragraphs([sentence(command.description())]),
    words.map((each) => item(each.name(), help.argumentDescription(each))).join(''),
    options(help.visibleOptions(command).filter((option) => option.long !== '--help')),
    after.length === 0 ? '' : `.PP\n.nf\n${lines(after.join('\n').trim())}\n.fi\n`,
    children.map((child) => oneCommand(child, `${name} `)).join(''),
  ].join('');
}

const shown = (argument) => {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? ` <${name}>` : ` [${name}]`;
};

function options(all) {
  return all
    .map((option) => {
      const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
      const preset =
        option.defaultValue === undefined || option.defaultValue === false
          ? ''
          : ` (default: ${option.defaultValue})`;
      return item(option.flags, `${option.description}${choices}${preset}`, true);
    })
    .join('');
}

async function configurationPage() {
  const { configSchema } = await import(new URL('dist/config/host-schema.js', root));
  return [
    section('NAME', 'dom0\\-director.yaml \\- the configuration of Dom0 Director'),
    section('SYNOPSIS', '.I /etc/dom0\\-director/director.yaml'),
    section('DESCRIPTION', paragraphs([ABOUT_FILE])),
    section('KEYS', keys(configSchema(), '')),
    section(
      'EXAMPLE',
      `.nf\n${lines(read('rules/director.example.yaml').replace(/^# yaml-language-server.*\n#\n/, ''))}\n.fi`,
    ),
    section('SEE ALSO', '.BR director (1),\n.BR dom0\\-director (8)'),
  ].join('');
}

const ABOUT_FILE =
  'YAML, one file. A file that is wrong is refused whole, with every fault and its line (director check FILE); a reload that is wrong changes nothing. Durations are written 500ms, 30s, 10m, 2h or 7d. Editors complete it with /usr/share/dom0-director/config.schema.json.';

/** Each key with what the schema says of it; those inside of it follow, with their path. */
function keys(schema, path) {
  const below = [...Object.entries(schema.properties ?? {}), ...mapped(schema)];
  return below
    .map(([name, inner]) => {
      const here = path === '' ? name : `${path}.${name}`;
      const required = schema.required?.includes(name) === true ? ' Required.' : '';
      return (
        item(
          here,
          `${sentence(inner.description ?? meaning(inner))}${preset(inner)}${choices(inner)}${required}`,
          true,
        ) + keysBelow(inner, here)
      );
    })
    .join('');
}

function keysBelow(schema, path) {
  const items = schema.items !== undefined ? [schema.items] : [];
  const every = [schema, ...items, ...(schema.anyOf ?? []), ...items.flatMap((each) => each.anyOf ?? [])];
  return every
    .map((each) => keys(each, items.includes(each) || each !== schema ? `${path}[]` : path))
    .join('');
}

/** A mapping whose names are the administrator's. */
function mapped({ additionalProperties: values }) {
  return typeof values === 'object' && values.type === 'object' ? [['NAME', values]] : [];
}

const meaning = ({ type, items }) =>
  type === 'object' ? 'One of them' : (items?.description ?? items?.anyOf?.[0]?.description ?? '');
const choices = ({ enum: all }) => (all === undefined ? '' : ` One of ${all.join(', ')}.`);
const preset = ({ default: value }) => {
  if (value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0))
    return '';
  if (typeof value === 'object') return ` Default: ${JSON.stringify(value)}.`;
  return ` Default: ${value > 0xffff ? `0x${value.toString(16)}` : value}.`;
};

const section = (name, text) => `.SH ${name.includes(' ') ? `"${name}"` : name}\n${text.trimEnd()}\n`;
const paragraphs = (all) => all.map((text) => `.PP\n${lines(text)}\n`).join('');
const item = (name, text, bold = false) =>
  `.TP\n${bold ? '.B' : '.I'} ${roff(name)}\n${lines(text.trim() === '' ? '\u00a0' : text)}\n`;
const sentence = (text) =>
  text === '' ? '' : `${text[0].toUpperCase()}${text.slice(1)}${/[.:!?]$/.test(text) ? '' : '.'}`;
const quoted = (text) => `"${roff(text).replaceAll('"', '\\(dq')}"`;
/** groff_man(7): a backslash and a hyphen that is meant, and lines that begin as a request does. */
const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
const lines = (text) =>
  roff(text)
    .split('\n')
    .map((line) => (line.startsWith('.') ? `\\&${line}` : line))
    .join('\n');
