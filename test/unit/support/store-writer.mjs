// Opens the store in argv[2] and writes one thing after another, each of several rows; tells on standard output what
// has been acknowledged. argv[3]: where the compiled store is. It ends when it is killed. argv[4]: how many it writes
// before it only keeps the store open.
import { writeSync } from 'node:fs';

const { Store } = await import(process.argv[3]);
const store = Store.open(process.argv[2]);
const begun = store.journal({ limit: 1 })[0]?.details.n ?? 0;
writeSync(1, 'open\n');
const last = begun + Number(process.argv[4] ?? Infinity);
for (let n = begun + 1; n <= last; n++) {
  const services = ['mail'];
  const intent = store.writeAhead(() =>
    store.intend({
      at: n,
      kind: 'change',
      by: 'writer',
      reason: null,
      services,
      switchId: null,
    }),
  );
  store.write(() => {
    store.saveLease({
      service: 'mail',
      source: `10.0.0.${n % 250}/32`,
      expiresAt: n,
      note: null,
      by: 'writer',
    });
    store.append({ at: n, kind: 'hold', services, by: 'writer', text: `${n}`, why: null, details: { n } });
    store.conclude(intent);
    store.saveLastId(n);
  });
  writeSync(1, `${n}\n`);
}
setInterval(() => undefined, 2 ** 30);
