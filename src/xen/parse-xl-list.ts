import type { Domain } from './hypervisor.ts';

export type ListedDomain = Omit<Domain, 'vifs'>;

/** `Name  ID  Mem  VCPUs  State  Time(s)`; a name may have spaces in it, so the line is read from its end. */
const LINE = /^(.*\S)\s+(\d+)\s+\d+\s+\d+\s+([r-][b-][p-][s-][c-][d-])\s+[\d.]+\s*$/;
/** What xl writes for a domain that has lost its name already (xl_info.c, list_domains). */
const NAMELESS = '(null)';

/** The output of `xl list` (xl(1), list), without Dom0. What is no such line is left out: the head is none. */
export function parseXlList(text: string): ListedDomain[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', id = '', flags = ''] = LINE.exec(line) ?? [];
    if (name === '' || name === NAMELESS || id === '0') return [];
    return [{ name, domid: Number(id), state: stateOf(flags) }];
  });
}

/**
 * Letters of xl(1): a domain that waits for something (`b`) runs, and so does one with no letter at all, that waits for a
 * CPU. A crashed one is shut down (`s`) too, and one that is dying (`d`) has ended.
 */
function stateOf(flags: string): ListedDomain['state'] {
  if (flags.includes('c')) return 'crashed';
  if (flags.includes('s') || flags.includes('d')) return 'shutdown';
  return flags.includes('p') ? 'paused' : 'running';
}
