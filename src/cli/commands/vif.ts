import { InvalidArgumentError } from 'commander';
import { guestInterface, guestView } from '../../api/contract.ts';
import type { GuestView } from '../../api/contract.ts';
import { parseService } from '../arguments.ts';
import { cleanDeep } from '../clean.ts';
import type { Context } from '../context.ts';
import { failed } from '../failure.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';

interface VifOptions {
  readonly config?: string;
  readonly interface?: string;
}

export function addVif(shell: Shell): void {
  shell.program
    .command('vif')
    .description("print a DomU's vif line for xl, and its guest's network settings")
    .argument('<service>', 'the service', parseService)
    .argument('<domu>', 'the DomU')
    .option('--config <file>', 'of this file; no daemon is needed')
    .option('--interface <name>', 'what the guest calls its interface (else enX0)', parseInterface)
    .addHelpText(
      'after',
      '\nThe MAC address follows from the names, and stays. Guests call their interface\nenX0 since systemd 250 (Debian 12), and eth0 before.\n\nExamples:\n  director vif mail mail-b\n  director vif mail mail-b --config director.yaml\n  director vif mail mail-b --json | jq -r .networkd',
    )
    .action(shell.run(vif));
}

async function vif(context: Context, service: string, domu: string, options: VifOptions): Promise<void> {
  if (options.config !== undefined) return ofFile(context, service, domu, options.config, options.interface);
  const query = options.interface === undefined ? '' : `?interface=${encodeURIComponent(options.interface)}`;
  const answer = await context.client.get(`${servicePath(service, 'domus', domu, 'network')}${query}`);
  if (context.json) context.printJson(answer.raw());
  else print(context, answer.as(guestView, { keepLines: true }));
}

async function ofFile(
  context: Context,
  service: string,
  domu: string,
  config: string,
  name: string | undefined,
): Promise<void> {
  const told = await context.local.vif({ config, service, domu, interface: name });
  if ('faults' in told) throw failed(`${config} does not tell it.`, { errors: [...told.faults] });
  if (context.json) context.printJson(told.network);
  else print(context, guestView.parse(cleanDeep(told.network, true)));
}

/** Everything but what is to be pasted is a comment in all three files. */
function print(context: Context, { domu, service, xl, interfaces, networkd, notes }: GuestView): void {
  const { dim } = context.look.colors;
  context.say([
    ...notes.map((note) => dim(`# ${note}`)),
    ...(notes.length === 0 ? [] : ['']),
    dim(`# In the Dom0, for xl (xl.cfg(5)) of ${domu}:`),
    xl,
    '',
    dim(`# In ${domu}, /etc/network/interfaces.d/${service}:`),
    ...interfaces.trimEnd().split('\n'),
    '',
    dim(`# Or, with systemd-networkd, /etc/systemd/network/10-${service}.network:`),
    ...networkd.trimEnd().split('\n'),
  ]);
}

function parseInterface(text: string): string {
  const parsed = guestInterface.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? 'not an interface'}.`);
}
