import { render } from 'preact';
import { App } from './app.tsx';
import { follow } from './state/follow.ts';
import { applyTheme } from './state/theme.ts';

applyTheme();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
follow();
