// An error in plain words, in the user's language.

import { ApiError, NoAnswer } from './api.js';
import { has, language, t } from './i18n.js';
import { formatDuration } from './time.js';

/**
 * A sentence for a person. What has no words of its own is shown as the server said it, in English at least.
 * `seconds` is how long there is still to wait, when the server said so.
 */
export function explain(error, seconds = error.retryAfterSeconds) {
  if (error instanceof NoAnswer) return t(navigator.onLine ? 'error.no_answer' : 'error.offline');
  if (!(error instanceof ApiError)) throw error; // a fault of ours: let it be seen in the console
  const time = formatDuration(seconds ?? 0);
  if (has(`error.${error.code}`)) return t(`error.${error.code}`, { time });
  if (error.status >= 500) return t('error.server');
  return language() === 'en' ? error.message : t('error.other', { code: error.code });
}

/** What is wrong with one field, by the server. */
export function explainField(name, message) {
  if (language() === 'en') return message.charAt(0).toUpperCase() + message.slice(1);
  return has(`field.${name}.wrong`) ? t(`field.${name}.wrong`) : t('field.wrong');
}
