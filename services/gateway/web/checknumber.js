// A check's number and code: how they are typed, pasted, linked to.

/** "123456780001" → "1234-5678-0001", and as far as one has typed. */
export function groupNumber(text) {
  return digitsOf(text).slice(0, 12).replace(/(\d{4})(?=\d)/g, '$1-');
}

export function isNumber(text) {
  return /^\d{4}-\d{4}-\d{4}$/.test(text);
}

export function isCode(text) {
  return /^\d{4}$/.test(text);
}

export function digitsOf(text) {
  return text.replace(/\D/g, '');
}

/**
 * The link that opens the accept page filled in. Everything about the check is behind the "#", which browsers
 * keep to themselves: no server, log or proxy on the way sees it. The QR code holds the same link.
 */
export function acceptLink(number, code) {
  const parts = new URLSearchParams({ fastcheck: number, ...(code && { code }) });
  return `${location.origin}/accept#${parts}`;
}

/** The part after "#" of such a link → { number, code }, either of them '' when it is absent or malformed. */
export function readHash(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const number = groupNumber(parts.get('fastcheck') ?? '');
  const code = parts.get('code') ?? '';
  return { number: isNumber(number) ? number : '', code: isCode(code) ? code : '' };
}

/** Find a number, and a code after it, in whatever was pasted: a link, a whole message, bare digits. */
export function readPasted(text) {
  const link = /\/accept#(\S+)/.exec(text);
  if (link) return readHash(link[1]);
  const exact = /(?<!\d)(\d{4}-\d{4}-\d{4})(?!\d)(.*)/su.exec(text);
  const loose = /(?<!\d)(\d{4}[\s\p{Pd}]*\d{4}[\s\p{Pd}]*\d{4})(.*)/su.exec(text);
  const found = exact ?? loose;
  if (!found) return { number: '', code: '' };
  const code = /(?<!\d)\d{4}(?!\d)/.exec(found[2]);
  return { number: groupNumber(found[1]), code: code ? code[0] : '' };
}

/** Regroup a field as it is typed in, with the caret staying after the digit it was after. */
export function keepGrouped(input) {
  input.addEventListener('input', () => {
    const digitsBefore = digitsOf(input.value.slice(0, input.selectionStart)).length;
    const grouped = groupNumber(input.value);
    if (grouped === input.value) return;
    input.value = grouped;
    const caret = Math.min(grouped.length, digitsBefore + Math.floor(Math.max(0, digitsBefore - 1) / 4));
    input.setSelectionRange(caret, caret);
  });
}
