/** One server-sent event (WHATWG HTML, "Server-sent events"). `id` is the last one that was given, as there. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/** Lines end in CR LF, LF or CR; a CR at the end of a chunk may be half of a CR LF. */
const LINE_END = /\r\n|\n|\r(?!$)/;

/** Reads events from chunks of any size; comments and fields that are not known are left out. */
export async function* readEvents(chunks: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let rest = '';
  let event = '';
  let data: string[] = [];
  let id = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split(LINE_END);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n'), id };
        event = '';
        data = [];
        continue;
      }
      const [field, value] = fieldOf(line);
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
  }
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}
