import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { RulesView } from '../../api/contract.ts';
import { get } from '../state/api.ts';
import { clock, plural } from '../state/words.ts';

type Looked = { readonly rules: RulesView; readonly at: number } | { readonly error: string } | null;

/** The rules as they are in the kernel, for those who want to see them: read when they are opened. */
export function Rules({ name }: { name: string }): JSX.Element {
  const [looked, setLooked] = useState<Looked>(null);
  const look = (): void =>
    void get<RulesView>(`/v1/services/${name}/rules`).then(
      (rules) => setLooked({ rules, at: Date.now() }),
      (error: unknown) => setLooked({ error: error instanceof Error ? error.message : String(error) }),
    );
  return (
    <details class="card rules" onToggle={({ currentTarget }) => currentTarget.open && look()}>
      <summary>
        <h2>The rules, as they are in the kernel</h2>
      </summary>
      {looked === null ? <p class="sub">Reading them…</p> : null}
      {looked !== null && 'error' in looked ? <p class="error">{looked.error}</p> : null}
      {looked !== null && 'rules' in looked ? (
        <>
          <p class="sub">
            {plural(looked.rules.rules.length, 'rule')}, read at {clock(looked.at)}.{' '}
            <button type="button" onClick={look}>
              Read them again
            </button>
          </p>
          <Families rules={looked.rules} />
          <Sets sets={looked.rules.sets} />
        </>
      ) : null}
    </details>
  );
}

function Families({ rules: { rules } }: { rules: RulesView }): JSX.Element {
  const tables = [...new Set(rules.map(({ family, table }) => `${family} ${table}`))];
  return (
    <>
      {tables.map((key) => {
        const [family = '', table = ''] = key.split(' ');
        const mine = rules.filter((rule) => String(rule.family) === family && rule.table === table);
        const title = `${family === '4' ? 'iptables' : 'ip6tables'} -t ${table}`;
        return (
          <section key={key} aria-label={title}>
            <h3 class="mono">{title}</h3>
            <pre tabIndex={0} aria-label={`Rules of ${title}`}>
              {mine.map(({ rule }) => (
                <Rule key={rule} text={rule} />
              ))}
            </pre>
          </section>
        );
      })}
    </>
  );
}

/** Chains and what a rule does stand out; all of it is still iptables' own text. */
function Rule({ text }: { text: string }): JSX.Element {
  const parts = text.split(/(\s+)/);
  return (
    <code>
      {parts.map((part, i) => {
        const before = parts[i - 2];
        const kind = before === '-j' || before === '-g' ? 'verb' : /^DIR-/.test(part) ? 'chain' : null;
        return kind === null ? part : <span class={kind}>{part}</span>;
      })}
      {'\n'}
    </code>
  );
}

function Sets({ sets }: { sets: RulesView['sets'] }): JSX.Element | null {
  if (sets.length === 0) return null;
  return (
    <section aria-label="Sets">
      <h3 class="mono">ipset</h3>
      <dl class="sets">
        {sets.map(({ name, elements }) => (
          <div key={name}>
            <dt class="mono">{name}</dt>
            <dd>
              {elements.map(({ element, expiresAt }) => (
                <span key={element} class="mono">
                  {element}
                  {expiresAt === null ? '' : ` until ${clock(expiresAt)}`}
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
