import { useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ServiceView, TesterView } from '../../api/contract.ts';
import { lookAt } from '../state/follow.ts';
import { complain } from '../state/notices.ts';
import { change, signedIn } from '../state/session.ts';
import { Icon } from './icon.tsx';
import { When } from './when.tsx';

/** Who reaches the secondary while everybody else is on the primary. */
export function Testers({ service }: { service: ServiceView }): JSX.Element {
  const { name, testing, testers, secondary } = service;
  const isOpen = testing === 'open';
  const act = (work: () => Promise<unknown>): void =>
    signedIn(
      () =>
        void work()
          .catch(complain)
          .finally(() => lookAt(name)),
    );
  const toggle = (): void =>
    act(() => change('PUT', `/v1/services/${name}/testing`, { state: isOpen ? 'closed' : 'open' }));
  return (
    <section class="card" aria-labelledby="testers-title">
      <h2 id="testers-title">Testers</h2>
      <p class="testing-state">
        <Icon name={isOpen ? 'tester' : 'lock'} />
        {isOpen ? (
          <span>
            Testing is <strong>open</strong>: these reach {secondary.domu}.
          </span>
        ) : (
          <span>
            Testing is <strong>closed</strong>: everybody is treated alike. Open it once the next version is
            on {secondary.domu}.
          </span>
        )}
        <button type="button" onClick={toggle}>
          {isOpen ? 'Close testing' : 'Open testing'}
        </button>
      </p>
      <TesterList testers={testers} remove={(source) => act(() => removeTester(name, source))} />
      {isOpen ? <AddTester name={name} act={act} /> : null}
    </section>
  );
}

const pathOf = (name: string, source: string): string =>
  `/v1/services/${name}/testers/${encodeURIComponent(source)}`;
const removeTester = (name: string, source: string): Promise<unknown> =>
  change('DELETE', pathOf(name, source));

interface ListProps {
  readonly testers: readonly TesterView[];
  readonly remove: (source: string) => void;
}

function TesterList({ testers, remove }: ListProps): JSX.Element {
  if (testers.length === 0) return <p class="nothing">Nobody yet.</p>;
  return (
    <ul class="testers">
      {testers.map(({ source, kind, expiresAt, note }) => (
        <li key={source}>
          <span class="mono">{source}</span>
          <span class="sub">
            {kind === 'permanent' ? 'by the configuration' : (note ?? 'enrolled')}
            {expiresAt === null ? null : (
              <>
                {' '}
                until <When time={expiresAt} />
              </>
            )}
          </span>
          {kind === 'leased' ? (
            <button type="button" onClick={() => remove(source)}>
              Remove<span class="hidden"> {source}</span>
            </button>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

function AddTester({
  name,
  act,
}: {
  name: string;
  act: (work: () => Promise<unknown>) => void;
}): JSX.Element {
  const source = useRef<HTMLInputElement>(null);
  const time = useRef<HTMLSelectElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const field = source.current;
    if (field === null || field.value.trim() === '') return;
    act(async () => {
      await change('PUT', pathOf(name, field.value.trim()), { expiresIn: time.current?.value ?? '8h' });
      field.value = '';
    });
  };
  return (
    <form class="add-tester" onSubmit={submit}>
      <label class="field">
        <span>Address or network</span>
        <input
          ref={source}
          type="text"
          spellcheck={false}
          autocomplete="off"
          required
          placeholder="198.51.100.20"
        />
      </label>
      <label class="field">
        <span>For</span>
        <select ref={time}>
          <option value="1h">1 hour</option>
          <option value="8h" selected>
            8 hours
          </option>
          <option value="3d">3 days</option>
        </select>
      </label>
      <button type="submit">Enrol</button>
    </form>
  );
}
