import type { JSX } from 'preact';
import { dismiss, notices } from '../state/notices.ts';
import { Icon } from './icon.tsx';

/** What has just happened, whoever did it; read aloud when it appears. */
export function Notices(): JSX.Element {
  return (
    <div class="notices" role="log" aria-label="What has just happened">
      {notices.value.map(({ id, tone, title, text }) => (
        <div key={id} class={`notice ${tone}`}>
          <Icon name={tone === 'bad' ? 'warn' : 'person'} />
          <p>
            <strong>{title}</strong> {text}
          </p>
          <button type="button" class="plain" onClick={() => dismiss(id)}>
            <Icon name="close" />
            <span class="hidden">Close this notice</span>
          </button>
        </div>
      ))}
    </div>
  );
}
