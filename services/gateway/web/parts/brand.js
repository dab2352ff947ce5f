// The mark: a check with a torn-off stub.

import { svg } from '../dom.js';

export function brandMark() {
  return svg('svg', { class: 'brand-mark', viewBox: '0 0 32 32', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { class: 'brand-paper', d: 'M7 6h18a3 3 0 0 1 3 3v4.2a2.8 2.8 0 0 0 0 5.6V23a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3v-4.2a2.8 2.8 0 0 0 0-5.6V9a3 3 0 0 1 3-3Z' }),
    svg('path', { class: 'brand-tick', d: 'm10.5 16.2 4 4 7.5-8' }));
}
