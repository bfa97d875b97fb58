/** xterm's control sequences: the alternate screen (1049), the cursor (25) and wrapping at the margin (7). */
export const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
export const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
export const HOME = '\x1b[H';
export const CLEAR_LINE = '\x1b[K';
export const CLEAR_BELOW = '\x1b[J';
