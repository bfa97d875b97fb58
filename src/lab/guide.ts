import type { Colors } from './screen.ts';
import { CLIENTS } from './topology.ts';
import type { ClientName } from './topology.ts';
import type { World } from './world.ts';

export interface GuideOptions {
  readonly world: World;
  readonly directorArgv: readonly string[];
  readonly socket: string;
  readonly url: string;
  readonly logFile: string;
  /** The process whose namespaces hold the lab, as other terminals number it. */
  readonly pid: number;
  readonly rootless: boolean;
  readonly colors: Colors;
}

/** What to try, ready to be copied into another terminal. */
export function guideText(options: GuideOptions): string {
  const { colors, socket, url, directorArgv, logFile } = options;
  const title = (text: string): string => colors.bold(text);
  const command = (text: string, about = ''): string =>
    `  ${colors.cyan(about === '' ? text : text.padEnd(58))}${about === '' ? '' : colors.dim(`  # ${about}`)}`;
  return [
    '',
    title('The lab is up.') + ' A Dom0, two services with two DomUs each, customers and testers:',
    'all in namespaces of its own, nothing in the network of this host but a loopback port.',
    '',
    ...serviceLines(options.world, colors),
    '',
    title('In another terminal'),
    command(`export DIRECTOR_SOCKET=${socket}`),
    command(`alias director='${directorArgv.join(' ')}'`),
    command('director status'),
    command('director switch mail ldap --to secondary --confirm-within 1m', 'everybody moves'),
    command('director rollback mail', 'and back; or: director confirm mail'),
    command(`director testers mail add ${CLIENTS.customer.ipv4} --for 1h`, 'the customer becomes a tester'),
    command('director journal --follow'),
    command(`curl ${url}/v1/services`, 'this port asks for no token: loopback only'),
    '',
    title('In a browser on this machine'),
    command(`${url}/`, 'the page: look, switch, go back'),
    '',
    title('Be one of them'),
    ...(['customer', 'tester'] as const).map((who) => command(asking(options, who), CLIENTS[who].who)),
    command(`${entering(options, 'dom0')} iptables -t nat -S DIR-mail`, "the kernel's side"),
    command(`${entering(options, 'admin')} bash`, 'a shell, as the administrator'),
    '',
    `The director logs to ${logFile}`,
    `${title('Ctrl-C')} ends the lab and removes everything.`,
    '',
  ].join('\n');
}

function serviceLines(world: World, { green, dim, bold }: Colors): string[] {
  return world.services.map(({ name, ipv4, ipv6, domus: [a, b] }) => {
    const where = `${ipv4}, ${ipv6}`.padEnd(28);
    return `  ${bold(name.padEnd(6))}${where}${green(`${a.name} 1.0 (live)`)}  ${dim(`${b.name} 2.0 (testers only)`)}`;
  });
}

/** nsenter(1): a rootless lab has a user namespace too, and its one user is already the right one. */
function entering({ pid, rootless, world }: GuideOptions, namespace: string): string {
  const enter = rootless
    ? `nsenter --preserve-credentials -U -m -n -p -t ${pid}`
    : `nsenter -m -n -p -t ${pid}`;
  return `${enter} ip netns exec ${world.ns(namespace)}`;
}

/** bash's /dev/tcp: no other client needs to be installed. */
function asking(options: GuideOptions, client: ClientName): string {
  const mail = options.world.service('mail').ipv4;
  return `${entering(options, client)} bash -c 'timeout 1 cat </dev/tcp/${mail}/25'`;
}
